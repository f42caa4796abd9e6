use std::sync::Arc;

use burn::backend::tensor::{Device, FloatTensor};
use burn::backend::{Backend, TensorMetadata};
use rayon::prelude::*;

use super::operation::{sizes, tensor, values, vectorised};

/// Pixels under a kernel.
const KERNEL: usize = 9;

/// The mark of a result that ReLU has made 0.
const CLOSED: u8 = 4;

/// What the backward pass of a convolution needs.
#[derive(Clone, Debug)]
pub(super) struct Convolved {
    shape: Shape,
    images: Arc<Vec<f32>>,
    /// Where in its window each result comes from, from 0 to 3, or [`CLOSED`].
    origin: Arc<Vec<u8>>,
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    images: usize,
    inputs: usize,
    outputs: usize,
    height: usize,
    width: usize,
}

impl Shape {
    /// Pixels of a plane.
    fn area(self) -> usize {
        self.height * self.width
    }

    /// Weights of an output.
    fn depth(self) -> usize {
        self.inputs * KERNEL
    }

    /// Lines and columns of the windows of the maximum: 2, or 1 where an image
    /// has no more.
    fn window(self) -> [usize; 2] {
        [self.height.min(2), self.width.min(2)]
    }

    /// Height and width of the result; what is left over at the end is left out.
    fn pooled(self) -> [usize; 2] {
        let [lines, columns] = self.window();
        [self.height / lines, self.width / columns]
    }
}

/// Gradients, that of the images only if it was wanted.
pub(super) struct Found<B: Backend> {
    pub(super) images: Option<FloatTensor<B>>,
    pub(super) weights: FloatTensor<B>,
    pub(super) biases: FloatTensor<B>,
}

/// A convolution of 3×3 that keeps the size, the largest of each 2×2, and ReLU,
/// of images `[rows, inputs, height, width]` with weights `[outputs, inputs, 3,
/// 3]` and biases `[outputs]`. Gives `[rows, outputs, height / 2, width / 2]`.
pub(super) fn forward<B: Backend>(
    images: FloatTensor<B>,
    weights: FloatTensor<B>,
    biases: FloatTensor<B>,
) -> (FloatTensor<B>, Convolved) {
    let ([rows, inputs, height, width], device) = (sizes::<B, 4>(&images), images.device());
    let [outputs, ..] = sizes::<B, 4>(&weights);
    let shape = Shape { images: rows, inputs, outputs, height, width };
    let [lines, columns] = shape.pooled();
    let kernel = tensor::<B>(values::<B>(weights), [outputs, shape.depth()], &device);
    let (images, biases) = (values::<B>(images), values::<B>(biases));
    let plane = lines * columns;
    let mut pooled = vec![0.0f32; rows * outputs * plane];
    let mut origin = vec![0u8; pooled.len()];
    // Image by image, so that all that is made of one stays in the cache.
    pooled
        .par_chunks_mut(outputs * plane)
        .zip(origin.par_chunks_mut(outputs * plane))
        .zip(images.par_chunks(inputs * shape.area()))
        .for_each(|((pooled, origin), image)| {
            let patches = patches::<B>(image, shape, &device);
            let convolved = values::<B>(B::float_matmul(kernel.clone(), patches));
            let results = pooled.chunks_exact_mut(plane).zip(origin.chunks_exact_mut(plane));
            let convolved = convolved.chunks_exact(shape.area()).zip(&biases);
            for ((pooled, origin), (convolved, &bias)) in results.zip(convolved) {
                pool(convolved, bias, shape, pooled, origin);
            }
        });
    let pooled = tensor::<B>(pooled, [rows, outputs, lines, columns], &device);
    (pooled, Convolved { shape, images: Arc::new(images), origin: Arc::new(origin) })
}

/// The gradients of weights and biases, and of the images if wanted.
pub(super) fn backward<B: Backend>(
    upstream: FloatTensor<B>,
    weights: FloatTensor<B>,
    convolved: Convolved,
    wants_images: bool,
) -> Found<B> {
    let device = upstream.device();
    let Convolved { shape, images, origin } = convolved;
    let Shape { images: rows, inputs, outputs, height, width } = shape;
    let (area, depth) = (shape.area(), shape.depth());
    let [lines, columns] = shape.pooled();
    let plane = lines * columns;
    let upstream = values::<B>(upstream);
    let kernel = tensor::<B>(values::<B>(weights), [outputs, depth], &device);
    let kernel = B::float_transpose(kernel);
    let found: Vec<[Vec<f32>; 2]> = upstream
        .par_chunks(outputs * plane)
        .zip(origin.par_chunks(outputs * plane))
        .zip(images.par_chunks(inputs * area))
        .map(|((upstream, origin), image)| {
            let mut slopes = vec![0.0f32; outputs * area];
            let results = upstream.chunks_exact(plane).zip(origin.chunks_exact(plane));
            for (slopes, (upstream, origin)) in slopes.chunks_exact_mut(area).zip(results) {
                unpool(upstream, origin, shape, slopes);
            }
            let slopes = tensor::<B>(slopes, [outputs, area], &device);
            let patches = B::float_transpose(patches::<B>(image, shape, &device));
            let of_weights = values::<B>(B::float_matmul(slopes.clone(), patches));
            let of_image = wants_images.then(|| {
                let of_patches = values::<B>(B::float_matmul(kernel.clone(), slopes));
                from_patches(&of_patches, shape)
            });
            [of_weights, of_image.unwrap_or_default()]
        })
        .collect();
    let mut of_weights = vec![0.0f32; outputs * depth];
    for [of_image, _] in &found {
        of_weights.iter_mut().zip(of_image).for_each(|(sum, slope)| *sum += slope);
    }
    let mut of_biases = vec![0.0f32; outputs];
    for (index, (upstream, origin)) in
        upstream.chunks_exact(plane).zip(origin.chunks_exact(plane)).enumerate()
    {
        let open = upstream.iter().zip(origin).filter(|(_, origin)| **origin != CLOSED);
        of_biases[index % outputs] += open.map(|(slope, _)| slope).sum::<f32>();
    }
    let of_images = wants_images.then(|| {
        let of_images = found.into_iter().flat_map(|[_, of_image]| of_image).collect();
        tensor::<B>(of_images, [rows, inputs, height, width], &device)
    });
    Found {
        images: of_images,
        weights: tensor::<B>(of_weights, [outputs, inputs, 3, 3], &device),
        biases: tensor::<B>(of_biases, [outputs], &device),
    }
}

/// For each channel of an image and each pixel of the kernel, a plane of what this pixel of the
/// kernel meets; 0 beyond the image.
fn patches<B: Backend>(image: &[f32], shape: Shape, device: &Device<B>) -> FloatTensor<B> {
    let (depth, area) = (shape.depth(), shape.area());
    let mut patches = Vec::with_capacity(depth * area);
    for plane in image.chunks_exact(area) {
        for pixel in 0..KERNEL {
            let start = patches.len();
            for (to, from) in overlaps(pixel, shape) {
                // What lies between the stretches is beyond the image.
                patches.resize(start + to.start, 0.0);
                patches.extend_from_slice(&plane[from]);
            }
            patches.resize(start + area, 0.0);
        }
    }
    tensor::<B>(patches, [depth, area], device)
}

/// The sums of what [`patches`] has taken from each pixel.
fn from_patches(patches: &[f32], shape: Shape) -> Vec<f32> {
    let area = shape.area();
    let mut image = vec![0.0f32; shape.inputs * area];
    for (plane, patches) in image.chunks_exact_mut(area).zip(patches.chunks_exact(KERNEL * area)) {
        for (pixel, patch) in patches.chunks_exact(area).enumerate() {
            for (to, from) in overlaps(pixel, shape) {
                plane[from].iter_mut().zip(&patch[to]).for_each(|(sum, slope)| *sum += slope);
            }
        }
    }
    image
}

type Range = std::ops::Range<usize>;

/// The stretches of a patch that lie within the image, and where they come from.
fn overlaps(pixel: usize, shape: Shape) -> impl Iterator<Item = (Range, Range)> {
    let Shape { height, width, .. } = shape;
    let (down, right) = (pixel / 3, pixel % 3);
    // Shifted by one pixel at most, in either direction.
    let columns = usize::from(right == 0)..width - usize::from(right == 2).min(width);
    (0..height).filter_map(move |line| {
        let from = (line + down).checked_sub(1).filter(|&from| from < height)?;
        let to = line * width + columns.start..line * width + columns.end.max(columns.start);
        let start = from * width + columns.start + right - 1;
        Some((to.clone(), start..start + to.len()))
    })
}

/// The largest of each window and ReLU, with where it comes from.
fn pool(plane: &[f32], bias: f32, shape: Shape, pooled: &mut [f32], origin: &mut [u8]) {
    vectorised(
        #[inline(always)]
        || match shape.window() {
            [2, 2] => pool_by::<2, 2>(plane, bias, shape, pooled, origin),
            [2, _] => pool_by::<2, 1>(plane, bias, shape, pooled, origin),
            [_, 2] => pool_by::<1, 2>(plane, bias, shape, pooled, origin),
            _ => pool_by::<1, 1>(plane, bias, shape, pooled, origin),
        },
    );
}

#[inline(always)]
fn pool_by<const LINES: usize, const COLUMNS: usize>(
    plane: &[f32],
    bias: f32,
    shape: Shape,
    pooled: &mut [f32],
    origin: &mut [u8],
) {
    let columns = shape.width / COLUMNS;
    let results = pooled.chunks_exact_mut(columns).zip(origin.chunks_exact_mut(columns));
    for ((pooled, origin), lines) in results.zip(plane.chunks_exact(LINES * shape.width)) {
        let lines: [&[[f32; COLUMNS]]; LINES] = std::array::from_fn(|line| {
            let (windows, _) = lines[line * shape.width..][..shape.width].as_chunks();
            &windows[..columns]
        });
        for (column, (pooled, origin)) in pooled.iter_mut().zip(origin).enumerate() {
            let (mut largest, mut place) = (lines[0][column][0], 0);
            for other in 1..LINES * COLUMNS {
                let value = lines[other / COLUMNS][column][other % COLUMNS];
                let larger = value > largest;
                largest = if larger { value } else { largest };
                place = if larger { other as u8 } else { place };
            }
            let value = largest + bias;
            // What is not a number passes, so that divergence is seen.
            let closed = value <= 0.0;
            *pooled = if closed { 0.0 } else { value };
            *origin = if closed { CLOSED } else { place };
        }
    }
}

/// The slope of each result, at the place that it comes from.
fn unpool(upstream: &[f32], origin: &[u8], shape: Shape, slopes: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || match shape.window() {
            [2, 2] => unpool_by::<2, 2>(upstream, origin, shape, slopes),
            [2, _] => unpool_by::<2, 1>(upstream, origin, shape, slopes),
            [_, 2] => unpool_by::<1, 2>(upstream, origin, shape, slopes),
            _ => unpool_by::<1, 1>(upstream, origin, shape, slopes),
        },
    );
}

#[inline(always)]
fn unpool_by<const LINES: usize, const COLUMNS: usize>(
    upstream: &[f32],
    origin: &[u8],
    shape: Shape,
    slopes: &mut [f32],
) {
    let columns = shape.width / COLUMNS;
    let results = upstream.chunks_exact(columns).zip(origin.chunks_exact(columns));
    for ((upstream, origin), lines) in results.zip(slopes.chunks_exact_mut(LINES * shape.width)) {
        for (line, slopes) in lines.chunks_exact_mut(shape.width).enumerate() {
            let (windows, _) = slopes.as_chunks_mut::<COLUMNS>();
            for ((window, &slope), &origin) in windows.iter_mut().zip(upstream).zip(origin) {
                for (column, entry) in window.iter_mut().enumerate() {
                    let own = origin == (line * COLUMNS + column) as u8;
                    *entry = if own { slope } else { 0.0 };
                }
            }
        }
    }
}
