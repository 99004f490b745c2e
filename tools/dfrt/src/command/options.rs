//! The options of the commands. One that several commands share is declared here, once: its
//! name, its text, its type and how it is understood.

use crate::failure;
use anyhow::Result;

/// Declares a command by its options, each a field. A field that is a name alone is an option
/// of the table below, or a group of them; argh cannot flatten one struct into another.
///
/// The arms with `@` take the fields one by one. They are told the command with its attributes,
/// the fields that are written out so far, and those to come.
macro_rules! options {
    ($(#[$attribute:meta])* pub struct $command:ident { $($fields:tt)* }) => {
        options! { @ ($command $(#[$attribute])*) [] $($fields)* }
    };
    (@ ($command:ident $(#[$attribute:meta])*) [$($done:tt)*]) => {
        #[derive(argh::FromArgs)]
        $(#[$attribute])*
        #[argh(subcommand, help_triggers("-h", "--help", "help"))]
        #[cfg_attr(not(feature = "train"), allow(dead_code, reason = "this build cannot train"))]
        pub struct $command { $($done)* }
    };

    // What is asked: a model, about pictures, judged how.
    (@ $to:tt [$($done:tt)*] model, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// an .onnx file or a RUN
        #[argh(option)]
        model: std::path::PathBuf,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] split, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// train, val or test (default test)
        #[argh(option)]
        split: Option<dfrt_runtime::sample::Split>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] threshold, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// logit above which a picture is called fake (default: the model's own, else 0); p:0.7
        /// says a probability, auto:VAL takes the best one on the val split of that data set
        #[argh(option)]
        threshold: Option<crate::threshold::Choice>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] limit, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// pictures of a split at most, balanced over the classes, the same ones each time
        #[argh(option, from_str_fn(crate::command::values::count))]
        limit: Option<usize>,
    ] $($rest)* } };

    // How much of the machine is taken, and what is drawn.
    (@ $to:tt [$($done:tt)*] threads, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// threads (default: one a processor)
        #[argh(option, from_str_fn(crate::command::values::count))]
        threads: Option<usize>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] device, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// GPU (default: the best; see dfrt devices)
        #[argh(option)]
        device: Option<usize>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] seed, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// seed of all draws (default 0)
        #[argh(option, default = "0")]
        seed: u64,
    ] $($rest)* } };

    // What becomes of the result.
    (@ $to:tt [$($done:tt)*] out_file, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// file for the result; without it the result is printed only
        #[argh(option)]
        out: Option<std::path::PathBuf>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] resume, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// go on with what an interrupted call left in the folder
        #[argh(switch)]
        resume: bool,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] force, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// replace earlier results
        #[argh(switch)]
        force: bool,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] json, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// print the result as JSON
        #[argh(switch)]
        json: bool,
    ] $($rest)* } };

    // How a file of another program is read, and `asked`, which is what they say.
    (@ ($command:ident $($about:tt)*) [$($done:tt)*] reading, $($rest:tt)*) => {
        options! { @ ($command $($about)*) [$($done)*
            /// side of the input in pixels, for a file of another program that leaves it open
            #[argh(option)]
            res: Option<usize>,
            /// a file of another program: where its channels stand, nchw or nhwc
            #[argh(option)]
            layout: Option<dfrt_runtime::reading::Layout>,
            /// such a file: how its pixels go in, where the file does not show it: imagenet (0 to 1,
            /// ImageNet's mean and deviation), half (-1 to 1), none (0 to 1 as they are) or caffe
            /// (0 to 255, blue first, means subtracted)
            #[argh(option)]
            preprocess: Option<dfrt_runtime::detector::overrides::Preprocess>,
            /// such a file: the order in which its channels go in, rgb or bgr
            #[argh(option)]
            channels: Option<dfrt_runtime::reading::Channels>,
            /// such a file: what black and white are in its input, 0-1, 0-255 or -1-1
            #[argh(option)]
            range: Option<dfrt_runtime::reading::Range>,
            /// such a file: channel means subtracted, red,green,blue in the units of --range
            #[argh(option)]
            mean: Option<crate::command::values::Triple>,
            /// such a file: channel deviations that divide then, red,green,blue
            #[argh(option)]
            std: Option<crate::command::values::Triple>,
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
        ] $($rest)* }

        impl $command {
            /// What is said about a file of another program.
            fn asked(&self) -> dfrt_runtime::detector::overrides::Overrides {
                dfrt_runtime::detector::overrides::Overrides {
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

    // The network that is trained.
    (@ $to:tt [$($done:tt)*] arch, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// efficientnet-b0 (default) to -b7, efficientnet-lite0 or efficientnet-tiny
        #[argh(option)]
        arch: Option<crate::command::values::trained::Arch>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] side, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// side of the network's input in pixels, a multiple of 32 or a published one (default: the
        /// architecture's, 224 of efficientnet-b0)
        #[argh(option)]
        res: Option<usize>,
    ] $($rest)* } };

    // How it is trained.
    (@ $to:tt [$($done:tt)*] training_data, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// manifest or folder of pictures
        #[argh(option)]
        data: Option<std::path::PathBuf>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] epochs, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// passes over the training pictures (default 20)
        #[argh(option, from_str_fn(crate::command::values::count))]
        epochs: Option<usize>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] lr, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// peak learning rate (default 5e-4)
        #[argh(option)]
        lr: Option<f32>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] no_masks, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// dropout and drop-path off
        #[argh(switch)]
        no_masks: bool,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] fakes, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// fakes to train on: files (default), the data set's own; or sbi: self-blended images, made
        /// of every real picture anew in every epoch, for which faces must be known (landmarks.json,
        /// .tem or boxes.csv beside the pictures; see dfrt data forge)
        #[argh(option)]
        fakes: Option<crate::command::values::trained::Fakes>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] cache, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// file into which decoded pictures are packed, for this and later runs
        #[argh(option)]
        cache: Option<std::path::PathBuf>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] perturbation, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// gr: outputs of which features.i are perturbed (default 0,1,2)
        #[argh(option)]
        taps: Option<crate::command::values::Taps>,
        /// gr: length of the perturbation (default 0.1)
        #[argh(option)]
        r: Option<f32>,
        /// gr: weight of the perturbed gradient, lambda / r (default 1)
        #[argh(option)]
        alpha: Option<f32>,
    ] $($rest)* } };

    // What is taken of a file of weights: every training has the first, `train` and `import` the
    // others, too, with `choices` and `conventions`, which are what they say.
    (@ $to:tt [$($done:tt)*] checkpoint, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// key of a checkpoint under which the network lies, such as state_dict_ema (default: the only
        /// one with a network that is no moving average)
        #[argh(option)]
        key: Option<String>,
        /// what stands before the network's names, such as model.backbone. (default: the only one)
        #[argh(option)]
        prefix: Option<String>,
        /// put a fresh last layer in the place of the file's
        #[argh(switch)]
        new_head: bool,
        /// conventions of the weights' family: torchvision, timm, timm-ra4, tf, tf-ap,
        /// efficientnet-pytorch, deepfakebench or lite (default: what the file says or its names
        /// imply; without a file the architecture's)
        #[argh(option)]
        family: Option<crate::command::values::trained::Family>,
    ] $($rest)* } };
    (@ ($command:ident $($about:tt)*) [$($done:tt)*] weights, $($rest:tt)*) => {
        options! { @ ($command $($about)*) [$($done)*] checkpoint,
            /// name of the last layer, where it is not the network's usual one: fc, last_layer, net._fc
            /// (default: the only layer that gives one logit or two)
            #[argh(option)]
            head: Option<String>,
            /// which of two logits is the fake's: 1 (default) or 0; 0 of one logit turns its sign
            #[argh(option)]
            fake_index: Option<usize>,
            /// tensors beside the network that no logit depends on, by what their names begin with, a,b,…
            #[argh(option)]
            leave_out: Vec<crate::command::values::Names>,
            /// how convolutions meet the border: symmetric, same (tf_* weights), static-same
            /// (efficientnet_pytorch) or static-same-bare-stem (DeepfakeBench)
            #[argh(option)]
            padding: Option<crate::command::values::trained::Padding>,
            /// epsilon of the batch-norms (1e-5; 1e-3 for tf_* weights)
            #[argh(option)]
            bn_eps: Option<f32>,
            /// channel means that pixels in [0, 1] lose first, red,green,blue
            #[argh(option)]
            mean: Option<crate::command::values::Triple>,
            /// channel deviations that divide them then, red,green,blue
            #[argh(option)]
            std: Option<crate::command::values::Triple>,
            $($rest)*
        }

        #[cfg(feature = "train")]
        impl $command {
            /// What is said of a checkpoint.
            fn choices(&self) -> dfrt_trainer::model::import::Choices {
                dfrt_trainer::model::import::Choices {
                    key: self.key.clone(),
                    prefix: self.prefix.clone(),
                    head: self.head.clone(),
                    fake_index: self.fake_index,
                    new_head: self.new_head,
                    leave_out: crate::command::values::Names::all(&self.leave_out),
                }
            }

            /// What is said of its network's conventions, which is of the architecture `arch`.
            fn conventions(
                &self,
                arch: &str,
            ) -> anyhow::Result<dfrt_trainer::model::conventions::Conventions> {
                let own = dfrt_trainer::model::conventions::Conventions {
                    padding: self.padding,
                    bn_eps: self.bn_eps,
                    mean: self.mean.map(|mean| mean.0),
                    std: self.std.map(|std| std.0),
                };
                crate::conventions::asked(arch, self.family, own)
            }
        }
    };

    // An option of the command alone. Its type is taken apart because argh must see its outermost
    // name.
    (@ $to:tt [$($done:tt)*]
        $(#[$attribute:meta])* $field:ident: $outer:ident $(:: $inner:ident)* $(<$of:ty>)?, $($rest:tt)*
    ) => { options! { @ $to [$($done)*
        $(#[$attribute])* $field: $outer $(:: $inner)* $(<$of>)?,
    ] $($rest)* } };
}
pub(crate) use options;

/// Sets how many threads decode pictures and run the model.
///
/// # Errors
/// More than the system gives.
pub fn use_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| anyhow::anyhow!("--threads {threads}: {error}; ask for fewer"))
}

/// An earlier result is gone on with or replaced.
///
/// # Errors
/// Wrong usage: `command` is asked for both.
pub fn check_resume(command: &str, resume: bool, force: bool) -> Result<()> {
    match resume && force {
        true => {
            let what = "--resume and --force exclude each other";
            Err(failure::usage(format!("{what}; see `dfrt {command} --help`")))
        }
        false => Ok(()),
    }
}
