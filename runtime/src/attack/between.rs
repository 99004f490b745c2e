//! Checks that need two attacks on one model: which of them is compared with which, by what
//! each may see.

use super::catalog::{Access, Method};
use super::gates;
use crate::results::attack::{AttackReport, Gate};

/// A check between an attack and another one at the same radius.
struct Row {
    /// Whether the attack is checked so.
    of: fn(&Method) -> bool,
    /// Whether the other one may be what it is compared with; of several the one that leaves
    /// the least robust accuracy.
    with: fn(&Method) -> bool,
    gate: fn(&AttackReport, &AttackReport) -> Gate,
}

const ROWS: [Row; 3] = [
    Row { of: |attack| !attack.floor, with: |other| other.floor, gate: gates::beats_noise },
    Row { of: is_iterated, with: |other| !other.needs_gradients() && !other.floor, gate: gates::black_box },
    Row {
        of: is_iterated,
        with: |other| other.needs_gradients() && !other.has_steps,
        gate: gates::more_steps,
    },
];

/// Whether it takes many gradient steps as far as the ball allows.
fn is_iterated(method: &Method) -> bool {
    method.access == Access::Gradients && method.has_steps && method.transfers
}

/// Adds to each of `attacks`, all on one model, the checks against the others.
pub fn add_gates(attacks: &mut [AttackReport]) {
    let all = attacks.to_vec();
    let method = |report: &AttackReport| report.method.parse::<Method>().ok();
    for (attack, own) in attacks.iter_mut().zip(&all) {
        let Some(kind) = method(own) else { continue };
        let same = |other: &&AttackReport| other.norm == own.norm && other.eps_255 == own.eps_255;
        for row in ROWS.iter().filter(|row| (row.of)(&kind)) {
            let others =
                all.iter().filter(same).filter(|other| method(other).is_some_and(|it| (row.with)(&it)));
            let strongest = others.min_by(|a, b| a.robust_accuracy.total_cmp(&b.robust_accuracy));
            strongest.into_iter().for_each(|other| attack.add_gate((row.gate)(own, other)));
        }
        let smaller = all.iter().filter(|other| {
            (&other.method, other.norm) == (&own.method, own.norm) && other.eps_255 < own.eps_255
        });
        let next = smaller.max_by(|a, b| a.eps_255.total_cmp(&b.eps_255)).filter(|_| !kind.floor);
        next.into_iter().for_each(|smaller| attack.add_gate(gates::monotone(&[smaller, own])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(is: fn(&Method) -> bool) -> Vec<&'static str> {
        Method::all().filter(is).map(|method| method.0.name).collect()
    }

    #[test]
    fn attacks_are_compared_by_what_they_see() {
        assert_eq!(named(ROWS[0].with), ["random-noise"]);
        assert_eq!(named(ROWS[1].of), ["pgd", "mi-fgsm", "apgd-ce", "apgd-margin"]);
        assert!(named(ROWS[1].with).contains(&"square") && named(ROWS[1].with).contains(&"rays"));
        assert_eq!(named(ROWS[2].with), ["fgsm"]);
    }
}
