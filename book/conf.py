"""How Sphinx builds the book; `cargo xtask book` runs it."""

project = "xent"
author = "the authors of xent"
extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 2
html_theme = "furo"
html_title = "xent"
html_show_sphinx = False
html_show_copyright = False
