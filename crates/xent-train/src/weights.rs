//! The weights of a model as the bytes of a safetensors file.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

/// Why weights cannot be loaded into a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The bytes are truncated, damaged, or another format.
    #[error("not a complete safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// A weight that the model has and the file lacks.
    #[error("weight `{name}` is missing; the file belongs to another model")]
    Missing {
        /// Name of the weight.
        name: String,
    },
    /// A weight that the file has and the model lacks.
    #[error("the model has no weight `{name}`; the file belongs to another model")]
    Unexpected {
        /// Name of the weight.
        name: String,
    },
    /// A weight of another shape.
    #[error("weight `{name}` has the shape {actual:?}, the model needs {expected:?}")]
    Shape {
        /// Name of the weight.
        name: String,
        /// Shape in the model.
        expected: Vec<usize>,
        /// Shape in the file.
        actual: Vec<usize>,
    },
    /// A weight that is not stored as 32-bit floats.
    #[error("weight `{name}` is stored as {actual}; convert it to F32")]
    Type {
        /// Name of the weight.
        name: String,
        /// Type in the file.
        actual: Dtype,
    },
}

/// A weight or bias of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Path of the parameter in the model, such as `layers.0.weight`.
    pub name: String,
    /// Its shape; the weight of a linear layer is `[inputs, outputs]`.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

/// All weights and biases of a model, in the order of the model.
pub fn named_weights<M: Module>(model: &M) -> Vec<Weight> {
    let mut reader = Reader::default();
    model.visit(&mut reader);
    reader.weights
}

/// The weights as a safetensors file; equal weights give equal bytes.
///
/// # Errors
/// [`WeightsError::Format`] if the format cannot hold the model.
pub fn to_safetensors<M: Module>(model: &M) -> Result<Vec<u8>, WeightsError> {
    let weights = named_weights(model);
    let bytes: Vec<Vec<u8>> = weights
        .iter()
        .map(|weight| weight.values.iter().flat_map(|value| value.to_le_bytes()).collect())
        .collect();
    let views = weights
        .iter()
        .zip(&bytes)
        .map(|(weight, bytes)| {
            let view = TensorView::new(Dtype::F32, weight.shape.clone(), bytes)?;
            Ok((weight.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, SafeTensorError>>()?;
    Ok(safetensors::serialize(views, None)?)
}

/// `model` with the weights of a safetensors file.
///
/// # Errors
/// Bytes that are no such file, and weights that are not exactly those of the
/// model in name, shape and type.
pub fn from_safetensors<M: Module>(model: M, bytes: &[u8]) -> Result<M, WeightsError> {
    let file = SafeTensors::deserialize(bytes)?;
    let mut stored = HashMap::new();
    for (name, view) in file.iter() {
        let name = name.to_owned();
        if view.dtype() != Dtype::F32 {
            return Err(WeightsError::Type { name, actual: view.dtype() });
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        stored.insert(name, (view.shape().to_vec(), numbers));
    }
    with_weights(model, stored)
}

/// `model` with weights of these shapes by their names.
///
/// # Errors
/// Weights that are not exactly those of the model in name and shape.
pub(crate) fn with_weights<M: Module>(
    model: M,
    mut stored: HashMap<String, (Vec<usize>, Vec<f32>)>,
) -> Result<M, WeightsError> {
    let mut values = HashMap::new();
    for Weight { name, shape: expected, .. } in named_weights(&model) {
        let Some((actual, numbers)) = stored.remove(&name) else {
            return Err(WeightsError::Missing { name });
        };
        if actual != expected {
            return Err(WeightsError::Shape { name, expected, actual });
        }
        values.insert(name, TensorData::new(numbers, expected));
    }
    if let Some(name) = stored.into_keys().min() {
        return Err(WeightsError::Unexpected { name });
    }
    Ok(model.map(&mut Writer { path: Vec::new(), values }))
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    weights: Vec<Weight>,
}

impl ModuleVisitor for Reader {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.weights.push(Weight {
            name: self.path.join("."),
            shape: tensor.dims().to_vec(),
            values: tensor.into_data().try_into_vec_as().expect("weights are floats"),
        });
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

struct Writer {
    path: Vec<String>,
    values: HashMap<String, TensorData>,
}

impl ModuleMapper for Writer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.values.remove(&self.path.join(".")).expect("every name was checked");
        param.map(|old| {
            let new = Tensor::from_data(values, &old.device());
            new.set_require_grad(old.is_require_grad())
        })
    }

    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Mlp;

    #[test]
    fn what_is_saved_is_loaded() {
        let saved = Mlp::new(3, &[4], 2, 1);
        let bytes = to_safetensors(&saved).unwrap();
        let loaded = from_safetensors(Mlp::new(3, &[4], 2, 2), &bytes).unwrap();
        assert_eq!(named_weights(&loaded), named_weights(&saved));
        assert_eq!(to_safetensors(&loaded).unwrap(), bytes);
    }

    #[test]
    fn weights_have_names_and_shapes() {
        let weights = named_weights(&Mlp::new(3, &[4], 2, 1));
        let described: Vec<_> =
            weights.iter().map(|weight| (weight.name.as_str(), &weight.shape[..])).collect();
        assert_eq!(
            described,
            [
                ("layers.0.weight", &[3, 4][..]),
                ("layers.0.bias", &[4]),
                ("layers.1.weight", &[4, 2]),
                ("layers.1.bias", &[2]),
            ]
        );
    }

    #[test]
    fn files_of_other_models_are_refused() {
        let bytes = to_safetensors(&Mlp::new(3, &[4], 2, 1)).unwrap();
        let load = |hidden: &[usize]| from_safetensors(Mlp::new(3, hidden, 2, 1), &bytes);
        assert_eq!(
            load(&[5]).unwrap_err().to_string(),
            "weight `layers.0.weight` has the shape [3, 4], the model needs [3, 5]"
        );
        assert!(
            matches!(load(&[4, 2]), Err(WeightsError::Missing { name }) if name == "layers.2.weight")
        );
        let bytes = to_safetensors(&Mlp::new(3, &[4, 2], 2, 1)).unwrap();
        let unexpected = from_safetensors(Mlp::new(3, &[4], 2, 1), &bytes);
        assert!(
            matches!(unexpected, Err(WeightsError::Unexpected { name }) if name == "layers.2.bias")
        );
    }

    #[test]
    fn other_number_types_are_refused() {
        let bytes = [0; 16];
        let half = TensorView::new(Dtype::F16, vec![8, 1], &bytes).unwrap();
        let file = safetensors::serialize([("layers.0.weight", half)], None).unwrap();
        let refused = from_safetensors(Mlp::new(8, &[], 1, 1), &file);
        assert!(matches!(refused, Err(WeightsError::Type { actual: Dtype::F16, .. })));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = to_safetensors(&Mlp::new(2, &[], 1, 1)).unwrap();
        for length in 0..bytes.len() {
            let refused = from_safetensors(Mlp::new(2, &[], 1, 1), &bytes[..length]);
            assert!(matches!(refused, Err(WeightsError::Format(_))), "length {length}");
        }
    }
}
