//! Whether the output is a logit or a probability, and which class is fake.

use super::{Answer, Fact, Question, Source, fact};
use crate::data::naming;
use crate::detector::output_kind::{Closing, OutputKind};
use crate::detector::overrides::Overrides;
use crate::detector::probe::ProbeResult;
use crate::detector::sidecar::Sidecar;
use crate::reading::Output;
use crate::sample::Label;

/// The evidence about an output.
pub(in crate::detector) struct Evidence<'a> {
    /// What its operators show.
    pub kind: &'a OutputKind,
    /// The final sigmoid or softmax that was removed.
    pub cut: Option<&'a Closing>,
    /// The result of the probe; `None` where it was not needed.
    pub answers: Option<&'a ProbeResult>,
    /// Whether it stays bounded for pixels far beyond white and black; `None` where that was not
    /// probed.
    pub bounded: Option<bool>,
    /// Numbers a picture.
    pub outputs: usize,
}

/// Why an output is no score in any reading, in words; `None` where it can be one.
pub(in crate::detector) fn no_score(kind: &OutputKind, outputs: usize) -> Option<String> {
    match kind {
        OutputKind::Label(operator) => Some(format!("labels ({operator}) and no scores")),
        OutputKind::LogProbability(operator) if outputs == 1 => {
            Some(format!("the logarithm of one class's probability ({operator}) and not all of them"))
        }
        _ => None,
    }
}

/// Whether the output is a logit or a probability.
pub(in crate::detector) fn output(
    overrides: &Overrides,
    evidence: &Evidence<'_>,
) -> Result<(Output, Fact), Question> {
    let with_fact =
        |output: Output, source, why: String| Ok((output, fact("output", output.to_string(), source, why)));
    let numbers = evidence.answers.map(span).unwrap_or_default();
    if let Some(closing) = evidence.cut {
        let operator = &closing.operator;
        if operator == "Sigmoid" && evidence.outputs > 1 && overrides.output.is_none() {
            return Err(which_output(format!(
                "each of its {} outputs has its own sigmoid, so they are not the probabilities of one choice",
                evidence.outputs
            )));
        }
        let source = if overrides.output.is_some() { Source::User } else { Source::Proved };
        return with_fact(
            Output::Logit,
            source,
            format!("read before the final {operator}, where it is exact"),
        );
    }
    if let Some(output) = overrides.output {
        let inside = evidence.answers.is_some_and(|answers| answers.probabilities);
        if let (Output::Logit, true, OutputKind::Probability(operator)) = (output, inside, evidence.kind) {
            return Err(which_output(format!(
                "--output logit contradicts the file: its numbers come from a {operator} and are probabilities ({numbers})"
            )));
        }
        return with_fact(output, Source::User, format!("--output {output}"));
    }
    let inside = evidence.answers.is_some_and(|answers| answers.probabilities);
    match (evidence.kind, inside) {
        (OutputKind::Probability(operator), true) => with_fact(
            Output::Probability,
            Source::Proved,
            format!("it comes from a {operator}, and {numbers}"),
        ),
        (OutputKind::Logit(operator), false) => with_fact(
            Output::Logit,
            Source::Proved,
            format!("its last operator is {operator}, and {numbers}"),
        ),
        // Numbers that are only 0 or 1 may be decisions.
        (OutputKind::Unknown(operator), true)
            if evidence.answers.is_some_and(|answers| answers.only_0_and_1) =>
        {
            Err(which_output(format!(
                "whether its output is a probability or a decision is not known: its last operator is {operator}, and drawn pictures give nothing but 0 and 1"
            )))
        }
        (OutputKind::Unknown(operator), true) if evidence.bounded != Some(false) => with_fact(
            Output::Probability,
            Source::Probed,
            format!("its last operator, {operator}, does not show it, but {numbers}"),
        ),
        (OutputKind::Probability(operator), false) => {
            Err(which_output(format!("its output comes from a {operator}, but is no probability: {numbers}")))
        }
        (OutputKind::Logit(operator), true) => Err(which_output(format!(
            "its last operator is {operator}, as of a logit, but its numbers look like probabilities: {numbers}"
        ))),
        // Over all classes these are the logits plus one constant, which cancels.
        (OutputKind::LogProbability(operator), _) if evidence.outputs > 1 => with_fact(
            Output::Logit,
            Source::Proved,
            format!("its last operator is {operator}, and {numbers}"),
        ),
        (OutputKind::NoScore(what), _) => Err(which_output(format!("its output is made by {what}"))),
        // Refused before, see [`no_score`].
        (OutputKind::Label(operator) | OutputKind::LogProbability(operator), _) => {
            Err(which_output(format!("its output is made by {operator}")))
        }
        (OutputKind::Unknown(operator), inside) => {
            let bounds = if inside { ", and only for usual pixels" } else { "" };
            Err(which_output(format!(
                "whether its output is a logit or a probability is not known: its last operator is {operator}, and {numbers}{bounds}"
            )))
        }
    }
}

fn span(answers: &ProbeResult) -> String {
    let ProbeResult { pictures, low, high, probabilities, .. } = answers;
    if low > high {
        return "drawn pictures give no numbers".to_owned();
    }
    let sums = if *probabilities { "in [0, 1]" } else { "not all in [0, 1] with a sum of 1" };
    let found = if low == high { format!("{low:.3}") } else { format!("{low:.3} to {high:.3}") };
    match pictures {
        1 => format!("a drawn picture gives {found}, {sums}"),
        _ => format!("{pictures} drawn pictures give {found}, {sums}"),
    }
}

fn which_output(unknown: String) -> Question {
    let answers = vec![
        Answer::new("--output logit", "above 0, or the largest, says fake"),
        Answer::new("--output probability", "from 0 to 1, above one half says fake"),
    ];
    Question { part: "output", unknown, answers }
}

/// Which class is fake.
pub(in crate::detector) fn fake_index(
    overrides: &Overrides,
    sidecar: &Sidecar,
    outputs: usize,
) -> Result<(usize, Fact), Question> {
    let classes = outputs.max(2);
    let asking = |unknown: String| Question {
        part: "fake-index",
        unknown,
        answers: vec![Answer::advice(
            format!("--fake-index 0 to {}", classes - 1),
            "the number of the class that is fake",
        )],
    };
    let with_fact =
        |index: usize, source, why: String| Ok((index, fact("fake-index", index.to_string(), source, why)));
    if let Some(index) = overrides.fake_index {
        return match index < classes {
            true => with_fact(index, Source::User, "--fake-index".to_owned()),
            false => Err(asking(format!("there is no class {index}: it has {classes} classes"))),
        };
    }
    // Names of another number belong to another head.
    if let Some((names, file)) = sidecar.names.as_ref().filter(|(names, _)| names.len() == classes) {
        let listed: Vec<String> =
            names.iter().enumerate().map(|(index, name)| format!("{index} {name}")).collect();
        let listed = listed.join(", ");
        return match fake_of(names) {
            Some(index) => {
                with_fact(index, Source::Sidecar, format!("{file} next to it names its classes {listed}"))
            }
            None => Err(asking(format!(
                "which of its classes is fake is not known: {file} next to it names them {listed}"
            ))),
        };
    }
    match outputs {
        1 => with_fact(1, Source::Convention, "a high output is taken to say fake".to_owned()),
        2 => {
            with_fact(1, Source::Convention, "of its two outputs the second is taken to say fake".to_owned())
        }
        _ => {
            Err(asking(format!("it gives {outputs} numbers a picture, and which class is fake is not known")))
        }
    }
}

/// The index of the fake class by the classes' names: of two, the one named fake or the other of
/// the one named real; of more, only where all others are named real.
fn fake_of(names: &[String]) -> Option<usize> {
    let labels: Vec<Option<Label>> = names.iter().map(|name| naming::class(name)).collect();
    let at = |wanted: Label| {
        let mut found = labels.iter().enumerate().filter(|(_, label)| **label == Some(wanted));
        let first = found.next().map(|(index, _)| index);
        (first, found.count() + usize::from(first.is_some()))
    };
    match (at(Label::Fake), at(Label::Real)) {
        ((Some(index), 1), (_, reals)) if reals + 1 == names.len() || names.len() == 2 => Some(index),
        ((None, _), (Some(real), 1)) if names.len() == 2 => Some(1 - real),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graph_and_probe_must_agree_about_the_output() {
        let answers = |probabilities| ProbeResult {
            pictures: 8,
            low: 0.0,
            high: 1.0,
            probabilities,
            only_0_and_1: false,
        };
        let kind = [
            OutputKind::Logit("Gemm".into()),
            OutputKind::Probability("Softmax".into()),
            OutputKind::Unknown("Div".into()),
        ];
        let settled = |kind: &OutputKind, inside: bool, bounded: Option<bool>, overrides: Option<Output>| {
            let answers = answers(inside);
            let evidence = Evidence { kind, cut: None, answers: Some(&answers), bounded, outputs: 1 };
            output(&Overrides { output: overrides, ..Overrides::default() }, &evidence)
                .map(|(output, _)| output)
                .map_err(|it| it.line())
        };
        assert_eq!(settled(&kind[0], false, None, None), Ok(Output::Logit));
        assert_eq!(settled(&kind[1], true, None, None), Ok(Output::Probability));
        assert_eq!(settled(&kind[2], true, Some(true), None), Ok(Output::Probability));
        for (place, inside, bounded) in
            [(0, true, None), (1, false, None), (2, false, None), (2, true, Some(false))]
        {
            let line = settled(&kind[place], inside, bounded, None).unwrap_err();
            assert!(line.contains("--output logit") && line.contains("--output probability"), "{line}");
        }
        assert_eq!(settled(&kind[0], true, None, Some(Output::Logit)), Ok(Output::Logit));
        assert!(settled(&kind[1], true, None, Some(Output::Logit)).unwrap_err().contains("contradicts"));
    }

    #[test]
    fn what_is_no_score_of_one_class_is_always_a_question() {
        let ask = |kind: &OutputKind, answers: &ProbeResult| {
            let evidence =
                Evidence { kind, cut: None, answers: Some(answers), bounded: Some(true), outputs: 1 };
            output(&Overrides::default(), &evidence).unwrap_err().line()
        };
        let inside =
            ProbeResult { pictures: 8, low: 0.5, high: 1.0, probabilities: true, only_0_and_1: false };
        assert!(ask(&OutputKind::NoScore("TopK, which gives the largest".into()), &inside).contains("TopK"));
        let only_0_and_1 = ProbeResult { only_0_and_1: true, ..inside };
        assert!(ask(&OutputKind::Unknown("Where".into()), &only_0_and_1).contains("decision"));
    }

    #[test]
    fn names_of_classes_prove_which_is_fake_or_leave_a_question() {
        let of = |names: &[&str], outputs: usize| {
            let names = names.iter().map(|&name| name.to_owned()).collect();
            let sidecar = Sidecar { names: Some((names, "config.json".to_owned())), ..Sidecar::default() };
            fake_index(&Overrides::default(), &sidecar, outputs)
                .map(|(index, fact)| (index, fact.source))
                .map_err(|question| question.line())
        };
        assert_eq!(of(&["Real", "Fake"], 2), Ok((1, Source::Sidecar)));
        assert_eq!(of(&["Fake", "Real"], 1), Ok((0, Source::Sidecar)), "one number stands for the second");
        assert_eq!(of(&["faceswap", "real"], 2), Ok((0, Source::Sidecar)));
        assert_eq!(of(&["real", "original", "fake"], 3), Ok((2, Source::Sidecar)));
        // ImageNet's names beside a head of two.
        assert_eq!(of(&["tench", "goldfish", "shark"], 2), Ok((1, Source::Convention)));
        for (names, outputs) in [
            (vec!["cat", "dog"], 2),
            (vec!["fake", "deepfake"], 2),
            (vec!["real", "deepfakes", "face2face"], 3),
        ] {
            let line = of(&names, outputs).unwrap_err();
            assert!(line.contains(&format!("0 {}, 1 {}", names[0], names[1])), "{line}");
            assert!(line.contains("pass --fake-index 0 to"), "{line}");
        }
    }
}
