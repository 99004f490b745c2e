// The index of an invocation, in workgroups of 64 that fold into two dimensions.

struct Invocation {
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
}

// Not of the struct: naga's HLSL knows the number of workgroups in entry points alone.
fn index_of(id: vec3<u32>, groups: vec3<u32>) -> u32 {
    return id.x + id.y * groups.x * 64u;
}
