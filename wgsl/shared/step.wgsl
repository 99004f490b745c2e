// What changes from step to step; ops/step.rs says what each is.
struct Step {
    learning_rate: f32,
    bias1: f32,
    bias2: f32,
    radius: f32,
    alpha: f32,
    slot: u32,
    kept: f32,
    share: f32,
    eps: f32,
}
