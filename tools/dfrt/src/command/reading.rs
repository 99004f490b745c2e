//! What may be said about how a file of another program is read: the same options of
//! every command that takes one.

/// A number for each of red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Triple(pub [f32; 3]);

/// Understands three numbers, red,green,blue.
pub fn triple(text: &str) -> Result<Triple, String> {
    let numbers: Result<Vec<f32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
    let three = numbers.ok().and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
    three.map(Triple).ok_or_else(|| format!("{text:?} are no three numbers like 0.5,0.5,0.5"))
}

/// Puts those options behind a command's own, `res` among them, and gives it `asked`,
/// which is what they say. argh cannot flatten one set of options into another.
macro_rules! with_reading {
    ($(#[$attribute:meta])* pub struct $command:ident { $($own:tt)* }) => {
        $(#[$attribute])*
        pub struct $command {
            $($own)*
            /// a file of another program: where its channels stand, nchw or nhwc
            #[argh(option)]
            layout: Option<dfrt_runtime::reading::Layout>,
            /// such a file: how its pixels go in, where the file does not show it: imagenet (0 to 1,
            /// ImageNet's mean and deviation), half (-1 to 1), none (0 to 1 as they are) or caffe
            /// (0 to 255, blue first, means subtracted)
            #[argh(option)]
            preprocess: Option<dfrt_runtime::detector::asked::Preprocess>,
            /// such a file: the order in which its channels go in, rgb or bgr
            #[argh(option)]
            channels: Option<dfrt_runtime::reading::Channels>,
            /// such a file: what black and white are in its input, 0-1, 0-255 or -1-1
            #[argh(option)]
            range: Option<dfrt_runtime::reading::Range>,
            /// such a file: channel means subtracted, red,green,blue in the units of --range
            #[argh(option, from_str_fn(crate::command::reading::triple))]
            mean: Option<crate::command::reading::Triple>,
            /// such a file: channel deviations that divide then, red,green,blue
            #[argh(option, from_str_fn(crate::command::reading::triple))]
            std: Option<crate::command::reading::Triple>,
            /// such a file: what its output is, logit or probability
            #[argh(option)]
            output: Option<dfrt_runtime::reading::Output>,
            /// such a file: the output to read, where it has several
            #[argh(option)]
            output_name: Option<String>,
            /// such a file: the class that is fake, counted from 0 (of one output: 0 where a high
            /// one means real)
            #[argh(option)]
            fake_index: Option<usize>,
        }

        impl $command {
            /// What is said about a file of another program.
            fn asked(&self) -> dfrt_runtime::detector::asked::Asked {
                dfrt_runtime::detector::asked::Asked {
                    res: self.res,
                    layout: self.layout,
                    preprocess: self.preprocess,
                    channels: self.channels,
                    range: self.range,
                    mean: self.mean.map(|mean| mean.0),
                    std: self.std.map(|std| std.0),
                    output: self.output,
                    output_name: self.output_name.clone(),
                    fake_index: self.fake_index,
                }
            }
        }
    };
}
pub(crate) use with_reading;
