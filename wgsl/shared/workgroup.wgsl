// The place of an invocation in its workgroup, and of that among the others.

struct Workgroup {
    @builtin(local_invocation_index) lane: u32,
    @builtin(workgroup_id) place: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
}
