use super::assembler::Assembler;
use super::{Id, MAX_STEPS, Pickle, PickleError, Value, read};
use proptest::prelude::*;

fn root<'p, 'a>(pickle: &'p Pickle<'a>) -> &'p Value<'a> {
    pickle.get(pickle.root())
}

fn malformed(bytes: &[u8]) -> &'static str {
    match read(bytes) {
        Err(PickleError::Malformed { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn scalars_of_every_protocol() {
    let cases: &[(&[u8], Value<'_>)] = &[
        (b"N.", Value::None),
        (b"\x80\x02\x88.", Value::Bool(true)),
        (b"I01\n.", Value::Bool(true)),
        (b"I00\n.", Value::Bool(false)),
        (b"I-12\n.", Value::Int(-12)),
        (b"L-5L\n.", Value::Int(-5)),
        (b"K\xff.", Value::Int(255)),
        (b"M\x01\x02.", Value::Int(513)),
        (b"J\xfe\xff\xff\xff.", Value::Int(-2)),
        (b"\x8a\x00.", Value::Int(0)),
        (b"\x8a\x02\x00\xff.", Value::Int(-256)),
        (b"\x8a\x02\xff\x00.", Value::Int(255)),
        (b"\x8b\x01\x00\x00\x00\x80.", Value::Int(-128)),
        (b"\x8a\x1111111111111111111.", Value::HugeInt),
        (b"L999999999999999999999999999999999999999999L\n.", Value::HugeInt),
        (b"F-0.5\n.", Value::Float(-0.5)),
        (b"G\x3f\xf8\0\0\0\0\0\0.", Value::Float(1.5)),
        (b"S'a b'\n.", Value::Text("a b")),
        (b"S\"it's\"\n.", Value::Text("it's")),
        (b"Vname\n.", Value::Text("name")),
        (b"U\x03abc.", Value::Text("abc")),
        (b"U\x02\xff\xfe.", Value::Bytes(b"\xff\xfe")),
        (b"T\x01\0\0\0x.", Value::Text("x")),
        ("X\x02\0\0\0é.".as_bytes(), Value::Text("é")),
        (b"X\x03\0\0\0\xed\xa0\x80.", Value::Bytes(b"\xed\xa0\x80")),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0\x8c\x02ab.", Value::Text("ab")),
        (b"\x8d\x01\0\0\0\0\0\0\0x.", Value::Text("x")),
        (b"C\x01x.", Value::Bytes(b"x")),
        (b"B\x01\0\0\0x.", Value::Bytes(b"x")),
        (b"\x8e\x01\0\0\0\0\0\0\0x.", Value::Bytes(b"x")),
        (b"\x80\x05\x96\x01\0\0\0\0\0\0\0x.", Value::Bytes(b"x")),
        (b"cos\nsystem\n.", Value::Global { module: "os", name: "system" }),
        (b"\x8c\x02os\x8c\x06system\x93.", Value::Global { module: "os", name: "system" }),
    ];
    for (bytes, expected) in cases {
        let pickle = read(bytes).unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
        assert_eq!(root(&pickle), expected, "{bytes:?}");
        assert_eq!(pickle.length(), bytes.len());
    }
}

/// A value with all that it refers to, written as Python does. For small values only.
fn written(pickle: &Pickle<'_>, id: Id) -> String {
    let join = |items: &[Id]| items.iter().map(|&item| written(pickle, item)).collect::<Vec<_>>().join(" ");
    match pickle.get(id) {
        Value::Int(value) => value.to_string(),
        Value::Text(text) => (*text).to_owned(),
        Value::Tuple(items) => format!("({})", join(items)),
        Value::List(items) => format!("[{}]", join(items)),
        Value::Set(items) => format!("<{}>", join(items)),
        Value::Dict(pairs) => {
            let pairs = pairs.iter().map(|&(key, value)| join(&[key, value]));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Global { module, name } => format!("{module}.{name}"),
        Value::Persistent(id) => format!("@{}", written(pickle, *id)),
        Value::Made { by, with, state } => {
            let state = state.map_or(String::new(), |state| format!(":{}", written(pickle, state)));
            format!("{}{}{state}", written(pickle, *by), written(pickle, *with))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn containers_memo_and_calls() {
    let cases: &[(&[u8], &str)] = &[
        (b").", "()"),
        (b"K\x01\x85.", "(1)"),
        (b"K\x01K\x02\x86.", "(1 2)"),
        (b"K\x01K\x02K\x03\x87.", "(1 2 3)"),
        (b"(K\x01(K\x02tt.", "(1 (2))"),
        (b"(K\x01l.", "[1]"),
        (b"]K\x01a(K\x02K\x03e.", "[1 2 3]"),
        (b"}K\x01K\x02s(K\x03K\x04u.", "{1 2, 3 4}"),
        (b"(K\x01K\x02d.", "{1 2}"),
        (b"\x8f(K\x01\x90.", "<1>"),
        (b"(K\x01\x91.", "<1>"),
        // What the memo gives is the thing itself: items put in later are seen by both.
        (b"]q\x07h\x07\x86q\x01h\x07K\x05a0.", "([5] [5])"),
        (b"]p3\ng3\n\x86.", "([] [])"),
        (b"]r\0\x01\0\0j\0\x01\0\0\x86.", "([] [])"),
        (b"]\x94h\0\x86.", "([] [])"),
        (b"K\x012\x86.", "(1 1)"),
        (b"K\x01(0.", "1"),
        (b"K\x01K\x020.", "1"),
        (b"K\x01(K\x02K\x031.", "1"),
        (b"Pkey\n.", "@key"),
        (b"K\x05Q.", "@5"),
        (b"cos\nsystem\n(Vrm\ntR.", "os.system(rm)"),
        (b"(Vrm\nios\nsystem\n.", "os.system(rm)"),
        (b"(cos\nsystem\nVrm\no.", "os.system(rm)"),
        (b"cm\nC\n)\x81}b.", "m.C():{}"),
        (b"cm\nC\n)}\x92.", "m.C()"),
        (b"cm\nC\n)\x81K\x01a(K\x01K\x02u.", "m.C()"),
        (b"ccollections\nOrderedDict\n)RK\x01K\x02s}b.", "{1 2}"),
        (b"ccollections\nOrderedDict\n(](](K\x01K\x02eetR.", "{1 2}"),
        (b"ccollections\ndefaultdict\n(c__builtin__\nlist\ntRK\x01K\x02s.", "{1 2}"),
        (b"ccollections\nOrderedDict\nK\x01\x85R.", "collections.OrderedDict(1)"),
    ];
    for (bytes, expected) in cases {
        let pickle = read(bytes).unwrap_or_else(|error| panic!("{:?}: {error}", bytes.escape_ascii()));
        assert_eq!(written(&pickle, pickle.root()), *expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_later_pair_replaces_an_earlier_one() {
    let bytes = Assembler::new().raw(b"}(").text("k").int(1).text("k").int(2).raw(b"u").finish();
    let pickle = read(&bytes).unwrap();
    let value = pickle.entry(pickle.root(), "k").unwrap();
    assert_eq!(*pickle.get(value), Value::Int(2));
    assert_eq!(pickle.entry(pickle.root(), "other"), None);
    assert_eq!(pickle.entry(value, "k"), None);
}

#[test]
fn classes_have_names_however_they_are_made() {
    for bytes in [
        b"cm\nC\n)\x81.".as_slice(),
        b"ccopy_reg\n_reconstructor\n(cm\nC\nc__builtin__\nobject\nNtR.",
        b"(Vmodule\ncm\nC\nNNtQ)\x81.",
        b"cm\nC\n.",
    ] {
        let pickle = read(bytes).unwrap();
        assert_eq!(pickle.class_name(pickle.root()).as_deref(), Some("m.C"), "{}", bytes.escape_ascii());
    }
    let pickle = read(b"K\x01)R.").unwrap();
    assert_eq!(pickle.describe(pickle.root()), "an object of no named class");
}

#[test]
fn descriptions_are_short_and_on_one_line() {
    let long = "line\n".repeat(1000);
    let mut assembler = Assembler::new();
    assembler.raw(b"}(");
    for index in 0..100 {
        assembler.text(&format!("{index}{long}")).int(index);
    }
    let bytes = assembler.raw(b"u").finish();
    let pickle = read(&bytes).unwrap();
    let text = pickle.describe(pickle.root());
    assert!(text.starts_with("a dict of 100 with the keys [`0line\\nline\\n"), "{text}");
    assert!(text.len() < 1000 && !text.contains('\n'), "{text}");
}

#[test]
fn what_is_no_pickle_is_an_error_at_its_place() {
    for (bytes, what) in [
        (b"\x80\x06N.".as_slice(), "a protocol newer than 5"),
        (b".", "an empty stack"),
        (b"K\x01(.", "an empty stack"),
        (b"0.", "an empty stack"),
        (b"K\x01(\x85.", "too few values on the stack"),
        (b"K\x01\x86.", "too few values on the stack"),
        (b"K\x01t.", "no mark on the stack"),
        (b"(o.", "an object without a class"),
        (b"h\0.", "nothing at this place of the memo"),
        (b"g-1\n.", "no place in the memo"),
        (b"}(K\x01u.", "a key without its value"),
        (b"]K\x01K\x02s.", "items for what is no dict"),
        (b"}K\x01a.", "items for what is no list"),
        (b"K\x01}b.", "a state for what has none"),
        (b"cos\nsystem\nK\x01R.", "arguments that are no tuple"),
        (b"K\x01K\x02\x93.", "a global without a name"),
        (b"Ix\n.", "no integer"),
        (b"L-L\n.", "no integer"),
        (b"Fx\n.", "no real number"),
        (b"Sx\n.", "text without its quotes"),
        (b"S'\n.", "text without its quotes"),
        (b"Va\\u0041\n.", "escaped text"),
        (b"c\xff\nx\n.", "a line that is no text"),
    ] {
        assert_eq!(malformed(bytes), what, "{}", bytes.escape_ascii());
    }
    for opcode in [0x82, 0x97, 0x98, 0x00, b'z'] {
        let error = read(&[b'N', opcode, b'.']).unwrap_err();
        assert_eq!(error, PickleError::Unknown { at: 1, opcode });
    }
}

#[test]
fn declared_lengths_are_held_against_the_bytes_at_hand() {
    for bytes in [
        b"X\xff\xff\xff\xff".as_slice(),
        b"B\xff\xff\xff\xffabc",
        b"T\xff\xff\xff\xff",
        b"\x8b\xff\xff\xff\xff",
        b"\x8b\xff\xff\xff\x7f",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x96\0\0\0\0\0\0\0\x80",
        b"cmodule without an end",
    ] {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, PickleError::Truncated { at, .. } if at == bytes.len()), "{error}");
    }
}

#[test]
fn deep_nesting_takes_no_depth() {
    let tuples = [b"N".as_slice(), &b"\x85".repeat(500_000), b"."].concat();
    assert!(matches!(root(&read(&tuples).unwrap()), Value::Tuple(items) if items.len() == 1));
    let lists = [b"(".repeat(500_000), b"l".repeat(500_000), b".".to_vec()].concat();
    assert!(matches!(root(&read(&lists).unwrap()), Value::List(items) if items.len() == 1));
}

#[test]
fn bombs_stay_small() {
    // Each list holds the last ten times over: 10^1000 items, were they ever written out.
    let mut bomb = Assembler::new();
    bomb.raw(b"]q\0");
    for _ in 0..1000 {
        bomb.raw(b"](").raw(&b"h\0".repeat(10)).raw(b"eq\0");
    }
    let bytes = bomb.finish();
    let pickle = read(&bytes).unwrap();
    assert!(pickle.values().len() < 2000);
    // A long list made a dict again and again by a few bytes.
    let mut copies = Assembler::new();
    copies.raw(b"](").raw(&b"NN\x86".repeat(100_000)).raw(b"eq\0");
    for _ in 0..100_000 {
        copies.raw(b"0ccollections\nOrderedDict\nh\0\x85R");
    }
    assert_eq!(read(&copies.finish()).unwrap_err(), PickleError::TooLong);
    assert_eq!(read(&b"]".repeat(MAX_STEPS + 1)).unwrap_err(), PickleError::TooLong);
}

#[test]
fn containers_may_hold_themselves() {
    let pickle = read(b"]q\0h\0a.").unwrap();
    assert_eq!(*root(&pickle), Value::List(vec![pickle.root()]));
    let pickle = read(b"}q\0h\0h\0s.").unwrap();
    assert_eq!(*root(&pickle), Value::Dict(vec![(pickle.root(), pickle.root())]));
    assert_eq!(pickle.describe(pickle.root()), "a dict of 1 with the keys [?]");
}

#[test]
fn every_cut_is_an_error() {
    let bytes = Assembler::new()
        .global("collections", "OrderedDict")
        .raw(b")R(")
        .text("a")
        .ints(&[1, 2])
        .raw(b"u")
        .finish();
    assert!(read(&bytes).is_ok());
    for length in 0..bytes.len() {
        assert!(matches!(read(&bytes[..length]), Err(PickleError::Truncated { .. })), "{length}");
    }
}

/// Opcodes with arguments that make sense, so that random programs get far.
fn opcode() -> impl Strategy<Value = Vec<u8>> {
    let with_arguments: Vec<&[u8]> = vec![
        b"K\x01",
        b"X\x01\0\0\0a",
        b"cm\nC\n",
        b"ccollections\nOrderedDict\n",
        b"h\0",
        b"h\x01",
        b"q\0",
        b"q\x01",
        b"G\0\0\0\0\0\0\0\0",
        b"\x8a\x01\x05",
        b"g0\n",
        b"Px\n",
    ];
    let bare = b"(012]})tldaesuRbQoN\x81\x85\x86\x87\x8f\x90\x91\x92\x93\x94\x88.";
    prop_oneof![
        proptest::sample::select(with_arguments).prop_map(<[u8]>::to_vec),
        proptest::sample::select(bare.as_slice()).prop_map(|opcode| vec![opcode]),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(pickle) = read(&bytes) {
            prop_assert!(pickle.length() <= bytes.len());
            pickle.describe(pickle.root());
        }
    }

    #[test]
    fn any_program_is_read_or_refused(program in proptest::collection::vec(opcode(), 0..60)) {
        let bytes = program.concat();
        if let Ok(pickle) = read(&bytes) {
            prop_assert!(pickle.values().len() <= 2 * bytes.len() + 4);
            pickle.describe(pickle.root());
            pickle.class_name(pickle.root());
        }
    }
}
