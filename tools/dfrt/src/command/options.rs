//! The options of the commands. Options that several commands share are declared here once: name,
//! help text, type and parser.

use crate::failure;
use anyhow::Result;
#[cfg(feature = "train")]
use dfrt_runtime::differing::differing;

/// Declares a command as a struct with one field for each option. A field without a type is an
/// option, or a group of options, of the table below; argh cannot flatten one struct into another.
///
/// The arms with `@` take the fields one by one. Their arguments are the command with its
/// attributes, the fields that are written out so far, and the fields that are left.
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

    // The model, the pictures and the threshold.
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
        /// is a probability, auto:VAL the best threshold on the val split of that data set
        #[argh(option)]
        threshold: Option<crate::threshold::Choice>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] limit, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// pictures of a split at most, balanced over the classes, the same ones each time
        #[argh(option, from_str_fn(crate::command::values::count))]
        limit: Option<usize>,
    ] $($rest)* } };

    // Threads, device and seed.
    (@ $to:tt [$($done:tt)*] threads, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// threads (default: one per processor)
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

    // The output.
    (@ $to:tt [$($done:tt)*] out_file, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// file for the result; without it the result is printed only
        #[argh(option)]
        out: Option<std::path::PathBuf>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] resume, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// continue what an interrupted call left in the folder
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

    // How a file of another program is read, and `reading`, which returns these options.
    (@ ($command:ident $($about:tt)*) [$($done:tt)*] reading, $($rest:tt)*) => {
        options! { @ ($command $($about)*) [$($done)*
            /// file of another program: side of its input in pixels, if the file leaves it open
            #[argh(option)]
            res: Option<usize>,
            /// file of another program: the order of its input dimensions, nchw or nhwc
            #[argh(option)]
            layout: Option<dfrt_runtime::reading::Layout>,
            /// file of another program: how pixels are normalised, if the file does not show it: imagenet
            /// (0 to 1, ImageNet's mean and deviation), half (-1 to 1), none (0 to 1 unchanged) or
            /// caffe (0 to 255, blue first, means subtracted)
            #[argh(option)]
            preprocess: Option<dfrt_runtime::detector::overrides::Preprocess>,
            /// file of another program: the order of its channels, rgb or bgr
            #[argh(option)]
            channels: Option<dfrt_runtime::reading::Channels>,
            /// file of another program: the values of black and white in its input, 0-1, 0-255 or -1-1
            #[argh(option)]
            range: Option<dfrt_runtime::reading::Range>,
            /// file of another program: channel means to subtract, red,green,blue in the units of --range
            #[argh(option)]
            mean: Option<crate::command::values::Triple>,
            /// file of another program: channel deviations to divide by after that, red,green,blue
            #[argh(option)]
            std: Option<crate::command::values::Triple>,
            /// file of another program: what its output is, logit or probability
            #[argh(option)]
            output: Option<dfrt_runtime::reading::Output>,
            /// file of another program: the output to read, if it has several
            #[argh(option)]
            output_name: Option<String>,
            /// file of another program: the index of the fake class, from 0 (with a single output: 0 if
            /// a high value means real)
            #[argh(option)]
            fake_index: Option<usize>,
        ] $($rest)* }

        impl $command {
            /// The options on how a file of another program is read.
            fn reading(&self) -> dfrt_runtime::detector::overrides::Overrides {
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
        /// from every real picture again in every epoch, for which faces must be known
        /// (landmarks.json, .tem or boxes.csv in the folder of the pictures; see dfrt data forge)
        #[argh(option)]
        fakes: Option<crate::command::values::trained::Fakes>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] cache, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// file to store decoded pictures in, for this and later runs
        #[argh(option)]
        cache: Option<std::path::PathBuf>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] tensorboard, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// folder for event files that TensorBoard shows while it trains (tensorboard --logdir DIR); of
        /// a study a folder below it for each arm and seed
        #[argh(option)]
        tensorboard: Option<std::path::PathBuf>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] selection, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// what the kept epoch is the best by, on validation pictures: auc, robust-accuracy, robust-auc
        /// or mean-auc (default: mean-auc for methods with adversarial pictures, else auc)
        #[argh(option)]
        select: Option<crate::command::values::trained::Criterion>,
        /// radius in 1/255 (linf) of PGD on validation pictures after each epoch (default: that of the
        /// method's adversarial pictures; without one there is no attack)
        #[argh(option)]
        robust_eps: Option<f32>,
        /// validation pictures that are attacked after each epoch (default 64)
        #[argh(option, from_str_fn(crate::command::values::count))]
        robust_pictures: Option<usize>,
    ] $($rest)* } };
    (@ $to:tt [$($done:tt)*] perturbation, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// gr: the features.i whose outputs are perturbed (default 0,1,2)
        #[argh(option)]
        taps: Option<crate::command::values::Taps>,
        /// gr: length of the perturbation (default 0.1)
        #[argh(option)]
        r: Option<f32>,
        /// gr: weight of the perturbed gradient, lambda / r (default 1)
        #[argh(option)]
        alpha: Option<f32>,
    ] $($rest)* } };

    // How a file of weights is read. Every training has `checkpoint`; `train` and `import` have
    // `weights`, too, with the methods `choices` and `conventions` that return these options.
    (@ $to:tt [$($done:tt)*] checkpoint, $($rest:tt)*) => { options! { @ $to [$($done)*
        /// key of the network in a checkpoint, such as state_dict_ema (default: the only one with a
        /// network that is not a moving average)
        #[argh(option)]
        key: Option<String>,
        /// prefix of the network's tensor names, such as model.backbone. (default: the only one)
        #[argh(option)]
        prefix: Option<String>,
        /// replace the last layer of the file by a new one
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
            /// name of the last layer, if it is not the network's usual one: fc, last_layer, net._fc
            /// (default: the only layer that gives one logit or two)
            #[argh(option)]
            head: Option<String>,
            /// index of the fake class of two logits: 1 (default) or 0; with one logit 0 changes its sign
            #[argh(option)]
            fake_index: Option<usize>,
            /// tensors to ignore, because no logit depends on them, by the beginnings of their names, a,b,…
            #[argh(option)]
            leave_out: Vec<crate::command::values::Names>,
            /// padding of the convolutions: symmetric, same (tf_* weights), static-same
            /// (efficientnet_pytorch) or static-same-bare-stem (DeepfakeBench)
            #[argh(option)]
            padding: Option<crate::command::values::trained::Padding>,
            /// epsilon of the batch-norms (1e-5; 1e-3 for tf_* weights)
            #[argh(option)]
            bn_eps: Option<f32>,
            /// channel means to subtract from pixels in [0, 1], red,green,blue
            #[argh(option)]
            mean: Option<crate::command::values::Triple>,
            /// channel deviations to divide by after that, red,green,blue
            #[argh(option)]
            std: Option<crate::command::values::Triple>,
            $($rest)*
        }

        #[cfg(feature = "train")]
        impl $command {
            /// The options on which network of a checkpoint is used.
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

            /// The options on the conventions of its network, which has the architecture `arch`.
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
                crate::conventions::from_options(arch, self.family, own)
            }
        }
    };

    // An option of this command only. Its type is taken apart because argh must see its outermost
    // name.
    (@ $to:tt [$($done:tt)*]
        $(#[$attribute:meta])* $field:ident: $outer:ident $(:: $inner:ident)* $(<$of:ty>)?, $($rest:tt)*
    ) => { options! { @ $to [$($done)*
        $(#[$attribute])* $field: $outer $(:: $inner)* $(<$of>)?,
    ] $($rest)* } };
}
pub(crate) use options;

/// Sets the number of threads that decode pictures and run the model.
///
/// # Errors
/// More threads than the system allows.
pub fn use_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| anyhow::anyhow!("--threads {threads}: {error}; ask for fewer"))
}

/// Checks that an earlier result is to be either resumed or replaced.
///
/// # Errors
/// Wrong usage: both options of `command` are given.
pub fn check_resume(command: &str, resume: bool, force: bool) -> Result<()> {
    match resume && force {
        true => {
            let what = "--resume and --force exclude each other";
            Err(failure::usage(format!("{what}; see `dfrt {command} --help`")))
        }
        false => Ok(()),
    }
}

/// Sets `field` to the `value` of an option, if it was given.
#[cfg(feature = "train")]
pub fn set<T: Clone>(field: &mut T, value: &Option<T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

/// Checks that a run or study (`what`) is resumed with the settings that `path` holds.
///
/// # Errors
/// Other settings: the message names each that differs, with both values.
#[cfg(feature = "train")]
pub fn check_unchanged<S: serde::Serialize + PartialEq>(
    what: &str,
    path: &std::path::Path,
    then: &S,
    now: &S,
) -> Result<()> {
    if then == now {
        return Ok(());
    }
    // By way of text, in which 32-bit numbers have no more digits than they were given with.
    let fields = |settings| -> Result<_> { Ok(serde_json::from_str(&serde_json::to_string(settings)?)?) };
    anyhow::bail!(
        "{}: the {what} was begun with other settings: {}; leave the options out, or choose another --out",
        path.display(),
        differing(&fields(then)?, &fields(now)?).unwrap_or_default()
    )
}
