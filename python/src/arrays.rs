//! Images and weights out of arrays of numpy, and images back.

use etnas::engine::Options;
use etnas::input::{GivenValues, Source};
use etnas::tensor_file::TensorFile;
use etnas::weights::WeightSource;
use etnas::{Error, Result};
use numpy::{
    Element, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use safetensors::tensor::{Dtype, TensorView};
use std::sync::Arc;

/// A tensor as Python hands it over: name, type as numpy writes it (`<f4`), shape, and the bytes in row-major order.
pub type NamedTensor<'py> = (String, String, Vec<usize>, PyReadonlyArray1<'py, u8>);

/// Images of an array: levels of bytes, or floats as networks are fed. Of an array without gaps the values that are needed are copied
/// once, into the engine's own; those are the first of a batch, unless the batch is drawn.
pub fn images(array: &Bound<'_, PyAny>, options: &Options) -> Result<Source> {
    let most = if options.draw_batch { usize::MAX } else { options.batch };
    if let Ok(levels) = array.extract::<PyReadonlyArrayDyn<'_, u8>>() {
        let (levels, shape) = first(&levels, most, |level| level)?;
        return Source::levels(levels, shape);
    }
    if let Ok(values) = array.extract::<PyReadonlyArrayDyn<'_, f32>>() {
        let (values, shape) = first(&values, most, |value| value)?;
        return Source::tensor(values, shape);
    }
    if let Ok(values) = array.extract::<PyReadonlyArrayDyn<'_, f64>>() {
        let (values, shape) = first(&values, most, |value| value as f32)?;
        return Source::tensor(values, shape);
    }
    let kind = array.getattr("dtype").and_then(|kind| kind.str()).map(|kind| kind.to_string());
    Err(wrong(
        "numbers of the type uint8, float32 or float64",
        kind.unwrap_or_else(|_| "something else".to_string()),
        "Convert levels from 0 to 255 to uint8, and what networks are fed to float32.",
    ))
}

/// The first `most` images in row-major order, and their shape.
fn first<T: Element + Copy, U>(
    array: &PyReadonlyArrayDyn<'_, T>,
    most: usize,
    convert: impl Fn(T) -> U,
) -> Result<(Vec<U>, [usize; 4])> {
    let shape = <[usize; 4]>::try_from(array.shape()).map_err(|_| {
        let found = format!("the shape {:?}", array.shape());
        let remedy = "Give images as [count, 3, height, width]: red, green and blue planes one after the other.";
        wrong("a shape [count, 3, height, width]", found, remedy)
    })?;
    let [count, colours, height, width] = shape;
    let count = count.min(most);
    let values = count * colours * height * width;
    // A slice of an array in column-major order is there too, but not in the order that is wanted.
    let values = match array.as_slice() {
        Ok(slice) if array.is_c_contiguous() => slice.iter().take(values).map(|value| convert(*value)).collect(),
        _ => array.as_array().iter().take(values).map(|value| convert(*value)).collect(),
    };
    Ok((values, [count, colours, height, width]))
}

fn wrong(expected: &str, found: String, remedy: &str) -> Error {
    let [what, expected, remedy] = ["The images given", expected, remedy].map(String::from);
    Error::Data { what, expected, found, remedy }
}

/// The images of a program that options hold, as an array; `None` for those of other sources.
pub fn given<'py>(py: Python<'py>, options: &Options) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Source::Given(given) = &options.data else { return Ok(None) };
    let (values, shape) = given.values();
    Ok(Some(match values {
        GivenValues::Levels(levels) => shaped(PyArray1::from_slice(py, levels), shape)?,
        GivenValues::Tensor(values) => shaped(PyArray1::from_slice(py, values), shape)?,
    }))
}

fn shaped<'py, T: Element>(flat: Bound<'py, PyArray1<T>>, shape: [usize; 4]) -> PyResult<Bound<'py, PyAny>> {
    let array: Bound<'py, PyArrayDyn<T>> = flat.reshape(shape.to_vec())?;
    Ok(array.into_any())
}

/// Weights of named tensors, or of the bytes of a safetensors file.
pub fn weights(given: &Bound<'_, PyAny>) -> PyResult<Result<WeightSource>> {
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(source(bytes.as_bytes().to_vec()));
    }
    let tensors: Vec<NamedTensor<'_>> = given.extract()?;
    let mut views = Vec::with_capacity(tensors.len());
    for (name, kind, shape, bytes) in &tensors {
        match view(name, kind, shape, bytes.as_slice()?) {
            Ok(view) => views.push((name, view)),
            Err(error) => return Ok(Err(error)),
        }
    }
    let bytes = safetensors::serialize(views, None);
    Ok(bytes.map_err(|error| Error::Internal(format!("tensors that cannot be put together: {error}"))).and_then(source))
}

fn source(bytes: Vec<u8>) -> Result<WeightSource> {
    Ok(WeightSource::Tensors(Arc::new(TensorFile::of_bytes("the weights given", bytes)?)))
}

fn view<'a>(name: &str, kind: &str, shape: &[usize], bytes: &'a [u8]) -> Result<TensorView<'a>> {
    let wrong = |expected: &str, found: String| Error::Data {
        what: format!("The tensor {name:?} of the weights given"),
        expected: expected.to_string(),
        found,
        remedy: "Convert it to float32.".to_string(),
    };
    let dtype = match kind {
        "<f4" => Dtype::F32,
        "<f8" => Dtype::F64,
        "<f2" => Dtype::F16,
        "<i8" => Dtype::I64,
        "<i4" => Dtype::I32,
        "<i2" => Dtype::I16,
        "|i1" => Dtype::I8,
        "|u1" => Dtype::U8,
        "|b1" => Dtype::BOOL,
        _ => return Err(wrong("numbers", kind.to_string())),
    };
    TensorView::new(dtype, shape.to_vec(), bytes).map_err(|error| wrong("bytes that fit its shape", error.to_string()))
}
