//! Images that a Dockerfile names: those in the store.

use tug_layer_store::{Image, Store};
use tug_oci::{Platform, Reference};

use crate::plan::{Images, NoImage};

impl Images for Store {
    fn find(&self, name: &str, platform: &Platform) -> Result<Image, NoImage> {
        let failed = |error: tug_layer_store::Error| NoImage::Failed(error.into());
        if let Some(image) = self.find_image(name, platform).map_err(failed)? {
            return Ok(image);
        }
        let problem = |message: String, help: Option<String>| Err(NoImage::Problem { message, help });
        let reference = match name.parse::<Reference>() {
            Ok(reference) => reference,
            Err(error) => return problem(error.to_string(), None),
        };
        let known: Vec<String> =
            self.refs().map_err(failed)?.into_iter().map(|(reference, _)| reference.familiar()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let help = match tug_dockerfile::closest(&reference.familiar(), &known) {
            Some(similar) => format!("an image with a similar name is there: `{similar}`"),
            None => "put it there with `tug load`, `tug import` or `tug build`".to_owned(),
        };
        problem(format!("no image `{}` in the store", reference.familiar()), Some(help))
    }
}
