use std::path::Path;

use serde::{Deserialize, Serialize};

use super::table::Header;
use super::target::text;
use super::{
    Fingerprint, Images, Notice, Split, Table, Task, builtin_target, builtin_text, generated,
    pictures,
};
use crate::error::{DataError, DataProblem, nearest};

/// Rows to learn from: a table and, for images, their pixels.
#[derive(Clone, Debug)]
pub struct Dataset {
    table: Table,
    images: Option<Images>,
    /// The files of the images; none where a file holds several.
    files: Vec<String>,
    reading: Reading,
    /// The first row of the test, where the data says which these are.
    test: Option<usize>,
}

/// How data is read; what is not given here is seen from the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reading {
    /// The column to predict, by name or by position from 0.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// The column of texts to predict it from, by name or by position from 0;
    /// otherwise from all other columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The column that says how much each row counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// The labels to keep; all if none is named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Height and width of images; otherwise those that most of them have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// How many tokens of a text are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_tokens: Option<usize>,
    /// A file with the rows of the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Whether the first line of a text file names the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
}

/// How many tokens of a text are read unless said otherwise.
const MOST_TOKENS: usize = 128;

impl Dataset {
    /// Opens a file or folder, or else built-in data of that name.
    ///
    /// Beside the tables of [`Table::read`] these are images: a folder with one
    /// folder of JPEG or PNG files per class, perhaps below `train` and `test`;
    /// the binary batches of CIFAR-10; the IDX files of MNIST, compressed or
    /// not. Images that differ from the size that most have, at most 64 pixels
    /// on the longer side unless a size is given, are scaled to it, whatever
    /// their proportions. They have one channel if all of them are grey, else
    /// three; transparency is dropped.
    ///
    /// A file named `train` with a file `test` of the same format beside it
    /// takes the rows of the test from there, as folders do.
    ///
    /// # Errors
    /// Names the file, and the row and column where there is one.
    pub fn open(path_or_name: &str, reading: &Reading) -> Result<Self, DataError> {
        let mut data = Self::open_unchecked(path_or_name, reading, None)?;
        data.table.column(&data.reading.target)?;
        if let Some(test) = data.reading.test.clone().or_else(|| sibling_test(path_or_name)) {
            data.append_test(&test)?;
        }
        match data.reading.classes.clone() {
            classes if classes.is_empty() => Ok(data),
            classes => data.of_classes(&classes),
        }
    }

    /// Opens data for a model that was trained on data read like this, with
    /// images of this shape; it need not have the target.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_like(
        path_or_name: &str,
        reading: &Reading,
        shape: Option<[usize; 3]>,
    ) -> Result<Self, DataError> {
        let reading = Reading { test: None, ..reading.clone() };
        let data = Self::open_unchecked(path_or_name, &reading, shape)?;
        let has_target = data.table.columns().iter().any(|c| c.name == reading.target);
        match reading.classes.is_empty() || !has_target {
            true => Ok(data),
            false => data.of_classes(&reading.classes),
        }
    }

    /// A table whose `target` is predicted from all other columns.
    pub fn of_table(table: Table, target: &str) -> Self {
        let reading = Reading { target: target.to_owned(), ..Reading::default() };
        Self { table, images: None, files: Vec::new(), reading, test: None }
    }

    fn open_unchecked(
        path_or_name: &str,
        reading: &Reading,
        shape: Option<[usize; 3]>,
    ) -> Result<Self, DataError> {
        let path = Path::new(path_or_name);
        let images = match path.exists() {
            true => pictures::is_pictures(path)
                .then(|| pictures::read(path, reading.size, shape))
                .transpose()?,
            false => generated::pictures(path_or_name),
        };
        if let Some(pictures::Pictures { table, images, files, test }) = images {
            let mut reading = reading.clone();
            if reading.target.is_empty() {
                reading.target = pictures::CLASS.to_owned();
            }
            return Ok(Self { table, images: Some(images), files, reading, test });
        }
        let (table, reading) = read_table(path_or_name, reading)?;
        Ok(Self { table, images: None, files: Vec::new(), reading, test: None })
    }

    /// Appends the rows of a file as those of the test.
    fn append_test(&mut self, path: &str) -> Result<(), DataError> {
        let shape = self.images.as_ref().map(Images::shape);
        let other = Self::open_unchecked(path, &self.reading, shape)?;
        let rows = self.table.rows();
        self.table.append(&other.table)?;
        if let (Some(images), Some(others)) = (&self.images, &other.images) {
            self.images = Some(images.followed_by(others));
        }
        self.test = Some(rows);
        self.reading.test = Some(path.to_owned());
        Ok(())
    }

    /// The rows with one of these labels.
    fn of_classes(self, classes: &[String]) -> Result<Self, DataError> {
        let values = &self.table.column(self.target())?.values;
        let labels: Vec<Option<String>> =
            (0..self.table.rows()).map(|row| text(values, row)).collect();
        for class in classes {
            if !labels.iter().any(|label| label.as_ref() == Some(class)) {
                let nearest = nearest(class, labels.iter().flatten().map(String::as_str));
                let problem = DataProblem::MissingClass { class: class.clone(), nearest };
                return Err(self.table.error(problem).column(self.target()));
            }
        }
        let wanted = |row: &usize| labels[*row].as_ref().is_some_and(|l| classes.contains(l));
        let rows: Vec<usize> = (0..labels.len()).filter(wanted).collect();
        Ok(self.select(&rows))
    }

    /// The columns; of images only their classes, or else their files.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The pixels, one image per row of the table.
    pub fn images(&self) -> Option<&Images> {
        self.images.as_ref()
    }

    /// How the data was read, with columns by their names.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// The column to predict.
    pub fn target(&self) -> &str {
        &self.reading.target
    }

    /// The column of texts to predict it from.
    pub fn text(&self) -> Option<&str> {
        self.reading.text.as_deref()
    }

    /// The column that says how much each row counts.
    pub fn weight(&self) -> Option<&str> {
        self.reading.weight.as_deref()
    }

    /// How many tokens of a text are read.
    pub fn most_tokens(&self) -> usize {
        self.reading.most_tokens.unwrap_or(MOST_TOKENS)
    }

    /// What is usually predicted. Images have classes, also where there are
    /// only two of them.
    ///
    /// # Errors
    /// As [`Task::infer`].
    pub fn task(&self) -> Result<Task, DataError> {
        match Task::infer(&self.table, self.target())? {
            Task::Binary if self.images.is_some() => Ok(Task::Classes),
            task => Ok(task),
        }
    }

    /// The rows at these ascending indices (from 0).
    ///
    /// # Panics
    /// If an index is not below the number of rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            table: self.table.select(rows),
            images: self.images.as_ref().map(|images| images.select(rows)),
            files: rows.iter().filter_map(|&row| self.files.get(row).cloned()).collect(),
            reading: self.reading.clone(),
            test: self.test.map(|test| rows.partition_point(|&row| row < test)),
        }
    }

    /// The files of the images; none where a file holds several, and of tables.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Leaves out the rows for training, with a notice, where the data says which these are.
    pub fn of_test(self) -> Self {
        let Some(first) = self.test.filter(|&first| 0 < first && first < self.table.rows()) else {
            return self;
        };
        let mut data = self.select(&(first..self.table.rows()).collect::<Vec<_>>());
        data.table.notices.push(Notice::OnlyTest { left_out: first });
        data
    }

    /// Leaves out the rows whose target is missing, with a notice if there are any.
    ///
    /// # Errors
    /// No such column, or no row with a target.
    pub fn with_known_target(self) -> Result<Self, DataError> {
        let target = self.target().to_owned();
        let values = &self.table.column(&target)?.values;
        let known: Vec<usize> =
            (0..self.table.rows()).filter(|&row| !values.is_missing(row)).collect();
        if known.is_empty() {
            return Err(self.table.error(DataProblem::MissingTarget).column(target));
        }
        if known.len() == self.table.rows() {
            return Ok(self);
        }
        let missing = self.table.rows() - known.len();
        let mut data = self.select(&known);
        data.table.notices.push(Notice::RowsWithoutTarget { column: target, rows: missing });
        Ok(data)
    }

    /// Draws shares of the rows for validation and test by `seed`; where the
    /// data says which rows are the test, it is those.
    ///
    /// # Errors
    /// As [`Split::new`].
    pub fn split(
        &self,
        task: Task,
        (validation, test): (f64, f64),
        seed: u64,
    ) -> Result<Split, DataError> {
        let Some(first) = self.test else {
            return Split::new(&self.table, self.target(), task, validation, test, seed);
        };
        let learned: Vec<usize> = (0..first).collect();
        let table = self.table.select(&learned);
        let split = Split::new(&table, self.target(), task, validation, 0.0, seed)?;
        Ok(Split { test: (first..self.table.rows()).collect(), ..split })
    }

    /// Says whether other data is the same, pixels included.
    pub fn fingerprint(&self) -> Fingerprint {
        let fingerprint = self.table.fingerprint();
        let Some(images) = &self.images else { return fingerprint };
        let mut hasher = twox_hash::xxhash3_128::Hasher::new();
        hasher.write(fingerprint.xxh3.as_bytes());
        (0..images.len()).for_each(|row| hasher.write(images.pixels(row)));
        Fingerprint {
            columns: images.shape().iter().product(),
            xxh3: format!("{:032x}", hasher.finish_128()),
            ..fingerprint
        }
    }
}

/// Reads a table, and resolves columns that are given by position.
fn read_table(path_or_name: &str, reading: &Reading) -> Result<(Table, Reading), DataError> {
    let mut reading = reading.clone();
    if let Some(header) = reading.header {
        let header = if header { Header::Names } else { Header::None };
        return Ok((Table::open_with(path_or_name, header)?, reading));
    }
    let named = Table::open(path_or_name);
    let is_position = |name: &str| name.parse::<usize>().is_ok();
    let by_position =
        is_position(&reading.target) || reading.text.as_deref().is_some_and(is_position);
    let table = match named {
        Ok(table) if by_position && first_line_is_a_row(&table, &reading.target) => {
            reading.header = Some(false);
            Table::open_with(path_or_name, Header::None)?
        }
        Err(_) if by_position => {
            reading.header = Some(false);
            Table::open_with(path_or_name, Header::None)?
        }
        named => named?,
    };
    if reading.target.is_empty() {
        let names = || table.columns().iter().map(|column| column.name.clone()).collect();
        reading.target = builtin_target(path_or_name)
            .map(str::to_owned)
            .ok_or_else(|| table.error(DataProblem::TargetNeeded(names())))?;
        reading.text = reading.text.or_else(|| builtin_text(path_or_name).map(str::to_owned));
    }
    let name = |column: &str| -> String {
        let columns = table.columns();
        let position = || column.parse::<usize>().ok().and_then(|at| columns.get(at));
        match columns.iter().any(|known| known.name == column) {
            true => column.to_owned(),
            false => position().map_or(column, |column| &column.name).to_owned(),
        }
    };
    reading.target = name(&reading.target);
    reading.text = reading.text.map(|text| name(&text));
    reading.weight = reading.weight.map(|weight| name(&weight));
    for column in [&reading.text, &reading.weight].into_iter().flatten() {
        table.column(column)?;
    }
    Ok((table, reading))
}

/// Whether what should be the names of the columns is a row: its target is one
/// that other rows have too.
fn first_line_is_a_row(table: &Table, target: &str) -> bool {
    let column = target.parse::<usize>().ok().and_then(|at| table.columns().get(at));
    let Some(column) = column else { return false };
    (0..table.rows()).any(|row| text(&column.values, row).as_ref() == Some(&column.name))
}

/// The file `test` beside a file `train`.
fn sibling_test(path: &str) -> Option<String> {
    let path = Path::new(path);
    (path.is_file() && path.file_stem()? == "train").then_some(())?;
    let test = path.with_file_name("test").with_extension(path.extension()?);
    test.is_file().then(|| test.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Column, Values};
    use std::fs;

    fn reading(text: &str, target: &str) -> Reading {
        Reading { text: Some(text.to_owned()), target: target.to_owned(), ..Reading::default() }
    }

    #[test]
    fn columns_by_position_need_no_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.tsv");
        fs::write(&path, "fine film\t1\nbad film\t0\ngood film\t1\n").unwrap();
        let name = path.to_str().unwrap();
        let data = Dataset::open(name, &reading("0", "1")).unwrap();
        assert_eq!((data.table().rows(), data.target(), data.text()), (3, "1", Some("0")));

        fs::write(&path, "text\tlabel\nfine film\t1\nbad film\t0\n").unwrap();
        let data = Dataset::open(name, &reading("0", "1")).unwrap();
        assert_eq!((data.table().rows(), data.target(), data.text()), (2, "label", Some("text")));

        fs::write(folder.path().join("test.tsv"), "text\tlabel\na film\t1\n").unwrap();
        let data = Dataset::open(name, &reading("text", "label")).unwrap();
        let split = data.split(Task::Binary, (0.0, 0.5), 1).unwrap();
        assert_eq!((split.train, split.test), (vec![0, 1], vec![2]));
    }

    #[test]
    fn classes_are_chosen_by_name() {
        let data = Dataset::open("iris", &Reading::default()).unwrap();
        assert_eq!(data.table().rows(), 150);
        let of = |class: &str| {
            let classes = vec!["setosa".to_owned(), class.to_owned()];
            Dataset::open("iris", &Reading { classes, ..Reading::default() })
        };
        assert_eq!(of("virginica").unwrap().table().rows(), 100);
        let error = of("virginca").unwrap_err().to_string();
        assert!(error.contains("no row has the class `virginca`; did you mean `virginica`?"));
    }

    #[test]
    fn a_target_is_needed_but_for_data_that_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        fs::write(&path, "a,b\n1,2\n").unwrap();
        let error = Dataset::open(path.to_str().unwrap(), &Reading::default()).unwrap_err();
        assert!(error.to_string().contains("which column to predict; it has a, b"), "{error}");
    }

    #[test]
    fn rows_without_a_target_are_left_out_and_the_others_keep_their_place() {
        let table = |target: &[Option<&str>]| {
            let x = (1..=target.len()).map(|x| x as f64).collect();
            let y = target.iter().map(|label| label.map(str::to_owned)).collect();
            let columns = [("x", Values::Numbers(x)), ("y", Values::Texts(y))];
            let column = |(name, values): (&str, _)| Column { name: name.to_owned(), values };
            Table::new("t", columns.into_iter().map(column).collect()).unwrap()
        };
        let whole = table(&[Some("a"), None, Some("b")]);
        let known = Dataset::of_table(whole.clone(), "y").with_known_target().unwrap().table;
        assert_eq!(known.columns()[0].values, Values::Numbers(vec![1.0, 3.0]));
        assert_eq!(known.place(1).row, 3);
        assert_eq!(known.notices()[0].to_string(), "1 row without `y` left out");
        let all = Dataset::of_table(whole.clone(), "x").with_known_target().unwrap();
        assert_eq!(all.table, whole);
        let none = Dataset::of_table(table(&[None]), "y").with_known_target();
        let message = none.unwrap_err().to_string();
        assert_eq!(message, "t, column `y`: the target is missing");
    }

    #[test]
    fn the_fingerprint_sees_every_pixel() {
        let print = |name: &str, flip: bool| {
            let mut data = Dataset::open(name, &Reading::default()).unwrap();
            let images = data.images.take().unwrap();
            let rows: Vec<usize> = (0..images.len()).collect();
            let mut pixels: Vec<u8> =
                rows.iter().flat_map(|&row| images.pixels(row).to_vec()).collect();
            let last = pixels.len() - 1;
            pixels[last] ^= u8::from(flip);
            data.images = Some(Images::new(images.shape(), pixels));
            data.fingerprint().xxh3
        };
        assert_eq!(print("shapes", false), print("shapes", false));
        assert_ne!(print("shapes", false), print("shapes", true));
    }
}
