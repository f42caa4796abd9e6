//! Images from files: a folder per class, CIFAR-10, MNIST.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use rayon::prelude::*;

use super::{Column, Images, Notice, Table, Values};
use crate::error::{DataError, DataProblem};

/// The column of the classes of images.
pub(super) const CLASS: &str = "class";

/// The longer side of images, unless a size is given.
const LONGEST_SIDE: usize = 64;

/// The most unreadable files that an error names.
const NAMED_FILES: usize = 20;

/// Images with their classes, those for training before those for the test.
pub(super) struct Pictures {
    pub(super) table: Table,
    pub(super) images: Images,
    /// The file of each; none where a file holds several.
    pub(super) files: Vec<String>,
    /// The first row of the test, where the data says which these are.
    pub(super) test: Option<usize>,
}

/// Whether a path can hold images: a folder, an image, or an IDX file.
pub(super) fn is_pictures(path: &Path) -> bool {
    path.is_dir() || is_image(path) || is_idx(path)
}

/// Reads images. A folder holds one folder of JPEG or PNG files per class,
/// perhaps below `train` and `test`; the batches of CIFAR-10; or the files of
/// MNIST. A single image and a folder of nothing but images have no classes.
///
/// All images get `shape`, or else the size that most of the training images
/// have (its longer side at most 64 pixels unless `size` is given), and three
/// channels, or one if all are grey. Others are scaled, whatever their
/// proportions; transparency is dropped.
pub(super) fn read(
    path: &Path,
    size: Option<[usize; 2]>,
    shape: Option<[usize; 3]>,
) -> Result<Pictures, DataError> {
    let pictures = match Layout::of(path)? {
        Layout::Files(files) => return files.decode(path, size, shape),
        Layout::Cifar { train, test } => cifar(path, &train, &test)?,
        Layout::Idx { train, test } => idx(path, &train, test.as_ref())?,
    };
    let wanted = shape.or(size.map(|[height, width]| [pictures.images.shape()[0], height, width]));
    Ok(match wanted {
        Some(wanted) if wanted != pictures.images.shape() => {
            Pictures { images: resized(&pictures.images, wanted), ..pictures }
        }
        _ => pictures,
    })
}

/// What a path holds.
enum Layout {
    Files(Files),
    Cifar { train: Vec<PathBuf>, test: Vec<PathBuf> },
    Idx { train: [PathBuf; 2], test: Option<[PathBuf; 2]> },
}

/// Image files, each with its class.
struct Files {
    paths: Vec<PathBuf>,
    classes: Option<Vec<String>>,
    test: Option<usize>,
}

impl Layout {
    fn of(path: &Path) -> Result<Self, DataError> {
        if is_idx(path) {
            let Some(labels) = idx_labels(path) else {
                return Err(problem(path, DataProblem::NoPictures));
            };
            return Ok(Self::Idx { train: [path.to_owned(), labels], test: None });
        }
        if !path.is_dir() {
            let paths = vec![path.to_owned()];
            return Ok(Self::Files(Files { paths, classes: None, test: None }));
        }
        let entries = entries(path)?;
        let named = |prefix: &str| -> Vec<PathBuf> {
            let is_named = |entry: &&PathBuf| {
                let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.starts_with(prefix) && name.ends_with(".bin")
            };
            entries.iter().filter(is_named).cloned().collect()
        };
        let (train, test) = (named("data_batch"), named("test_batch"));
        if !train.is_empty() || !test.is_empty() {
            return Ok(Self::Cifar { train, test });
        }
        let idx = |prefix: &str| {
            let file = entries.iter().find(|entry| {
                let name = entry.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.starts_with(prefix) && is_idx(entry) && name.contains("images")
            })?;
            Some([file.clone(), idx_labels(file)?])
        };
        if let Some(train) = idx("train") {
            return Ok(Self::Idx { train, test: idx("t10k").or_else(|| idx("test")) });
        }
        Files::below(path).map(Self::Files)
    }
}

impl Files {
    fn below(path: &Path) -> Result<Self, DataError> {
        let parts = ["train", "test"].map(|part| path.join(part));
        if parts[0].is_dir() {
            let mut files = Self::of_classes(&parts[0])?;
            if parts[1].is_dir() {
                let test = Self::of_classes(&parts[1])?;
                files.test = Some(files.paths.len());
                files.paths.extend(test.paths);
                files.classes = files.classes.zip(test.classes).map(|(a, b)| [a, b].concat());
            }
            return Ok(files);
        }
        Self::of_classes(path)
    }

    /// The images of folders named after their class, or of one folder.
    fn of_classes(path: &Path) -> Result<Self, DataError> {
        let (mut paths, mut classes) = (Vec::new(), Vec::new());
        let entries = entries(path)?;
        for folder in entries.iter().filter(|entry| entry.is_dir()) {
            let class = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for file in self::entries(folder)?.into_iter().filter(|file| is_image(file)) {
                paths.push(file);
                classes.push(class.clone());
            }
        }
        if !paths.is_empty() {
            return Ok(Self { paths, classes: Some(classes), test: None });
        }
        let paths: Vec<PathBuf> = entries.into_iter().filter(|entry| is_image(entry)).collect();
        match paths.is_empty() {
            true => Err(problem(path, DataProblem::NoPictures)),
            false => Ok(Self { paths, classes: None, test: None }),
        }
    }

    fn decode(
        self,
        source: &Path,
        size: Option<[usize; 2]>,
        shape: Option<[usize; 3]>,
    ) -> Result<Pictures, DataError> {
        let shape = match shape {
            Some(shape) => shape,
            None => self.shape(source, size)?,
        };
        let [_, height, width] = shape;
        let decode = |path: &PathBuf| -> image::ImageResult<(Vec<u8>, bool)> {
            let image = ImageReader::open(path)?.with_guessed_format()?.decode()?;
            let fits = [image.height(), image.width()].map(|side| side as usize) == [height, width];
            Ok((planes(&image, shape), fits))
        };
        let decoded = self.all_or_unreadable(source, self.paths.par_iter().map(decode))?;
        let scaled = decoded.iter().filter(|(_, fits)| !fits).count();
        let pixels: Vec<u8> = decoded.into_iter().flat_map(|(pixels, _)| pixels).collect();
        let files: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
        let column = match self.classes {
            Some(classes) => Column { name: CLASS.to_owned(), values: texts(classes) },
            None => Column { name: "file".to_owned(), values: texts(files.clone()) },
        };
        let mut table = Table::new(source.display().to_string(), vec![column])?;
        if scaled > 0 {
            table.notices.push(Notice::ScaledImages { images: scaled, height, width });
        }
        Ok(Pictures { table, images: Images::new(shape, pixels), files, test: self.test })
    }

    /// The shape that most images for training have, of equally frequent ones
    /// the larger.
    fn shape(&self, source: &Path, size: Option<[usize; 2]>) -> Result<[usize; 3], DataError> {
        let look = |path: &PathBuf| -> image::ImageResult<([usize; 2], bool)> {
            let decoder = ImageReader::open(path)?.with_guessed_format()?.into_decoder()?;
            let (width, height) = decoder.dimensions();
            Ok(([height as usize, width as usize], decoder.color_type().has_color()))
        };
        let seen = self.all_or_unreadable(source, self.paths.par_iter().map(look))?;
        let mut sizes: Vec<[usize; 2]> =
            seen[..self.test.unwrap_or(seen.len())].iter().map(|(size, _)| *size).collect();
        sizes.sort_unstable();
        let frequent = sizes.chunk_by(|a, b| a == b).max_by_key(|equal| equal.len());
        let usual = frequent.map_or([1, 1], |equal| equal[0]);
        let longest = usual[0].max(usual[1]);
        let [height, width] = size.unwrap_or(match longest > LONGEST_SIDE {
            true => usual.map(|side| (side * LONGEST_SIDE / longest).max(1)),
            false => usual,
        });
        let channels = if seen.iter().any(|(_, colour)| *colour) { 3 } else { 1 };
        Ok([channels, height, width])
    }

    /// All results, or one error that names the files of which there is none.
    fn all_or_unreadable<T: Send>(
        &self,
        source: &Path,
        results: impl IndexedParallelIterator<Item = image::ImageResult<T>>,
    ) -> Result<Vec<T>, DataError> {
        let results: Vec<image::ImageResult<T>> = results.collect();
        let (mut values, mut unreadable) = (Vec::with_capacity(results.len()), Vec::new());
        for (path, result) in self.paths.iter().zip(results) {
            match result {
                Ok(value) => values.push(value),
                Err(error) => unreadable.push(format!("{} ({error})", path.display())),
            }
        }
        if unreadable.is_empty() {
            return Ok(values);
        }
        let count = unreadable.len();
        unreadable.truncate(NAMED_FILES);
        Err(problem(source, DataProblem::UnreadableImages { count, files: unreadable }))
    }
}

fn problem(path: &Path, problem: DataProblem) -> DataError {
    DataError::new(path.display().to_string(), problem)
}

fn texts(texts: impl IntoIterator<Item = String>) -> Values {
    Values::Texts(texts.into_iter().map(Some).collect())
}

/// What a folder holds, in the order of the names, hidden files left out.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |error| problem(folder, DataProblem::Unreadable(error));
    let mut entries = fs::read_dir(folder)
        .map_err(unreadable)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(unreadable)?;
    entries.retain(|path| {
        path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
    });
    entries.sort();
    Ok(entries)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| {
        ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    })
}

/// The planes of an image, scaled to a shape.
fn planes(image: &DynamicImage, [channels, height, width]: [usize; 3]) -> Vec<u8> {
    let scaled;
    let image = if (image.height() as usize, image.width() as usize) == (height, width) {
        image
    } else {
        scaled = image.resize_exact(width as u32, height as u32, FilterType::Triangle);
        &scaled
    };
    if channels == 1 {
        return image.to_luma8().into_raw();
    }
    let interleaved = image.to_rgb8().into_raw();
    (0..channels).flat_map(|c| interleaved.iter().skip(c).step_by(channels).copied()).collect()
}

/// Images of another shape.
fn resized(images: &Images, shape: [usize; 3]) -> Images {
    let [channels, height, width] = images.shape();
    let resize = |row: usize| {
        let pixels = images.pixels(row);
        let area = height * width;
        let size = (width as u32, height as u32);
        let image = if channels == 1 {
            image::GrayImage::from_raw(size.0, size.1, pixels.to_vec()).map(DynamicImage::from)
        } else {
            let interleaved =
                (0..area).flat_map(|at| (0..channels).map(move |c| pixels[c * area + at]));
            image::RgbImage::from_raw(size.0, size.1, interleaved.collect()).map(DynamicImage::from)
        };
        planes(&image.expect("as many pixels as the shape says"), shape)
    };
    let rows: Vec<Vec<u8>> = (0..images.len()).into_par_iter().map(resize).collect();
    Images::new(shape, rows.concat())
}

/// The binary version of CIFAR-10: for each image its class and 3×32×32 pixels.
fn cifar(path: &Path, train: &[PathBuf], test: &[PathBuf]) -> Result<Pictures, DataError> {
    const SHAPE: [usize; 3] = [3, 32, 32];
    const RECORD: usize = 1 + 3 * 32 * 32;
    let names = fs::read_to_string(path.join("batches.meta.txt")).unwrap_or_default();
    let names: Vec<&str> = names.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let name = |class: u8| match names.get(usize::from(class)) {
        Some(name) => (*name).to_owned(),
        None => class.to_string(),
    };
    let (mut classes, mut pixels) = (Vec::new(), Vec::new());
    let mut append = |files: &[PathBuf]| -> Result<usize, DataError> {
        for file in files {
            let bytes = fs::read(file).map_err(|e| problem(file, DataProblem::Unreadable(e)))?;
            if bytes.is_empty() || bytes.len() % RECORD != 0 {
                return Err(problem(file, DataProblem::Cifar { bytes: bytes.len() }));
            }
            for record in bytes.chunks_exact(RECORD) {
                classes.push(name(record[0]));
                pixels.extend_from_slice(&record[1..]);
            }
        }
        Ok(classes.len())
    };
    let first_test = append(train)?;
    let rows = append(test)?;
    let test = (0 < first_test && first_test < rows).then_some(first_test);
    pictures(path, Images::new(SHAPE, pixels), texts(classes), test)
}

fn pictures(
    path: &Path,
    images: Images,
    classes: Values,
    test: Option<usize>,
) -> Result<Pictures, DataError> {
    let column = Column { name: CLASS.to_owned(), values: classes };
    let table = Table::new(path.display().to_string(), vec![column])?;
    Ok(Pictures { table, images, files: Vec::new(), test })
}

fn is_idx(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(name);
    path.is_file()
        && (name.ends_with("-ubyte") || name.ends_with(".idx") || name.ends_with(".idx3"))
}

/// The file of labels beside a file of images.
fn idx_labels(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let other = match labels.strip_suffix(".gz") {
        Some(plain) => plain.to_owned(),
        None => format!("{labels}.gz"),
    };
    [labels, other].iter().map(|name| images.with_file_name(name)).find(|path| path.is_file())
}

/// The format of MNIST: big-endian sizes, then bytes.
fn idx(
    path: &Path,
    train: &[PathBuf; 2],
    test: Option<&[PathBuf; 2]>,
) -> Result<Pictures, DataError> {
    let (mut pixels, mut classes, mut shape, mut first_test) = (Vec::new(), Vec::new(), None, None);
    for [images, labels] in std::iter::once(train).chain(test) {
        let (sizes, bytes) = idx_file(images, 3)?;
        let (label_sizes, label_bytes) = idx_file(labels, 1)?;
        let size = [1, sizes[1], sizes[2]];
        if label_sizes[0] != sizes[0] || shape.is_some_and(|shape| shape != size) {
            return Err(problem(images, DataProblem::Idx));
        }
        shape = Some(size);
        pixels.extend(bytes);
        classes.extend(label_bytes.into_iter().map(f64::from));
        first_test = first_test.or(Some(classes.len()));
    }
    let first_test = first_test.filter(|&first| first < classes.len());
    let shape = shape.ok_or_else(|| problem(path, DataProblem::Idx))?;
    pictures(path, Images::new(shape, pixels), Values::Numbers(classes), first_test)
}

/// The sizes and the bytes of an IDX file, compressed or not.
fn idx_file(path: &Path, dimensions: usize) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    const UNSIGNED_BYTE: u8 = 8;
    let unreadable = |error| problem(path, DataProblem::Unreadable(error));
    let mut bytes = fs::read(path).map_err(unreadable)?;
    if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut plain)
            .map_err(unreadable)?;
        bytes = plain;
    }
    let header = 4 + 4 * dimensions;
    if bytes.len() < header || bytes[..4] != [0, 0, UNSIGNED_BYTE, dimensions as u8] {
        return Err(problem(path, DataProblem::Idx));
    }
    let (sizes, _) = bytes[4..header].as_chunks::<4>();
    let sizes: Vec<usize> = sizes.iter().map(|size| u32::from_be_bytes(*size) as usize).collect();
    let product = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match product == Some(bytes.len() - header) && product != Some(0) {
        true => Ok((sizes, bytes.split_off(header))),
        false => Err(problem(path, DataProblem::Idx)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn grey(path: &Path, width: u32, height: u32, value: u8) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::GrayImage::from_pixel(width, height, image::Luma([value])).save(path).unwrap();
    }

    fn colour(path: &Path, width: u32, height: u32, value: [u8; 3]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(width, height, image::Rgb(value)).save(path).unwrap();
    }

    fn classes(pictures: &Pictures) -> Vec<String> {
        match &pictures.table.column(CLASS).unwrap().values {
            Values::Texts(texts) => texts.iter().flatten().cloned().collect(),
            Values::Numbers(numbers) => numbers.iter().map(f64::to_string).collect(),
        }
    }

    #[test]
    fn folders_are_classes_and_odd_images_are_made_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        colour(&path.join("dog/2.png"), 4, 3, [10, 20, 30]);
        colour(&path.join("dog/1.png"), 4, 3, [1, 2, 3]);
        grey(&path.join("cat/a.PNG"), 9, 5, 77);
        fs::write(path.join("cat/notes.txt"), "not an image").unwrap();
        let pictures = read(path, None, None).unwrap();
        assert_eq!(classes(&pictures), ["cat", "dog", "dog"]);
        assert_eq!((pictures.images.shape(), pictures.test), ([3, 3, 4], None));
        assert_eq!(pictures.images.pixels(0), [77; 36]);
        assert_eq!(pictures.images.pixels(1), [[1; 12], [2; 12], [3; 12]].concat());

        let small = read(path, Some([1, 2]), None).unwrap();
        assert_eq!(small.images.shape(), [3, 1, 2]);
        let single = read(&path.join("dog/2.png"), None, Some([1, 2, 2])).unwrap();
        assert_eq!(single.images.pixels(0), [19; 4], "luma of the colour");
    }

    #[test]
    fn train_and_test_are_kept_apart() {
        let folder = tempfile::tempdir().unwrap();
        for (file, value) in [("train/a/1.png", 1), ("train/b/1.png", 2), ("test/a/1.png", 3)] {
            grey(&folder.path().join(file), 2, 2, value);
        }
        let pictures = read(folder.path(), None, None).unwrap();
        assert_eq!(pictures.test, Some(2));
        assert_eq!(classes(&pictures), ["a", "b", "a"]);
        assert_eq!(pictures.images.shape(), [1, 2, 2]);
    }

    #[test]
    fn large_images_are_scaled_down() {
        let folder = tempfile::tempdir().unwrap();
        grey(&folder.path().join("a/1.png"), 128, 96, 9);
        let pictures = read(folder.path(), None, None).unwrap();
        assert_eq!(pictures.images.shape(), [1, 48, 64]);
    }

    #[test]
    fn unreadable_images_are_named_in_one_error() {
        let folder = tempfile::tempdir().unwrap();
        grey(&folder.path().join("a/1.png"), 2, 2, 1);
        fs::write(folder.path().join("a/2.png"), "no image").unwrap();
        fs::write(folder.path().join("a/3.jpg"), b"\xff\xd8\xff\xe0 cut").unwrap();
        let error = read(folder.path(), None, None).err().unwrap().to_string();
        assert!(error.contains("2 images cannot be read: "), "{error}");
        assert!(error.contains("2.png") && error.contains("3.jpg"), "{error}");
    }

    #[test]
    fn folders_without_images_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), None, None).err().unwrap().to_string();
        assert!(error.contains("one folder of JPEG or PNG files per class"), "{error}");
    }

    #[test]
    fn cifar_batches_are_read_with_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let record = |class: u8, pixel: u8| [&[class][..], &[pixel; 3072]].concat();
        let train = [record(1, 5), record(0, 6)].concat();
        fs::write(folder.path().join("data_batch_1.bin"), train).unwrap();
        fs::write(folder.path().join("test_batch.bin"), record(1, 7)).unwrap();
        fs::write(folder.path().join("batches.meta.txt"), "airplane\nautomobile\n\n").unwrap();
        let pictures = read(folder.path(), None, None).unwrap();
        assert_eq!(classes(&pictures), ["automobile", "airplane", "automobile"]);
        assert_eq!((pictures.test, pictures.images.shape()), (Some(2), [3, 32, 32]));
        assert_eq!(pictures.images.pixels(2), [7; 3072]);
        fs::write(folder.path().join("test_batch.bin"), [0; 100]).unwrap();
        let error = read(folder.path(), None, None).err().unwrap().to_string();
        assert!(error.contains("test_batch.bin: 100 bytes are no whole number"), "{error}");
    }

    #[test]
    fn idx_files_are_read_compressed_and_plain() {
        let folder = tempfile::tempdir().unwrap();
        let images = |count: u8, pixel: u8| {
            let header = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
            [&header[..], &vec![pixel; usize::from(count) * 6]].concat()
        };
        let labels = |labels: &[u8]| [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat();
        let zipped = |bytes: &[u8]| {
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            zip.write_all(bytes).unwrap();
            zip.finish().unwrap()
        };
        let write =
            |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte.gz", zipped(&images(2, 9)));
        write("train-labels-idx1-ubyte.gz", zipped(&labels(&[3, 1])));
        write("t10k-images-idx3-ubyte", images(1, 8));
        write("t10k-labels-idx1-ubyte", labels(&[3]));
        let pictures = read(folder.path(), None, None).unwrap();
        assert_eq!(classes(&pictures), ["3", "1", "3"]);
        assert_eq!((pictures.test, pictures.images.shape()), (Some(2), [1, 2, 3]));
        assert_eq!(pictures.images.pixels(2), [8; 6]);

        let mut cut = images(1, 8);
        cut.pop();
        write("t10k-images-idx3-ubyte", cut);
        assert!(read(folder.path(), None, None).is_err());
    }
}
