//! The stack machine that a pickle is a program for. It builds values and calls
//! nothing. Memory is bounded by [`MAX_STEPS`]: each opcode makes at most one value
//! and pushes at most one, and where more are copied each copy counts as an opcode.

use super::source::{Source, Step};
use super::{Id, MAX_STEPS, Pickle, PickleError, Value, opcode};
use std::collections::HashMap;

/// The values that every machine begins with, so that they need not be made anew.
const CONSTANTS: [Value<'static>; 4] =
    [Value::None, Value::Bool(false), Value::Bool(true), Value::Tuple(Vec::new())];
const NONE: Id = Id(0);
const FALSE: Id = Id(1);
const TRUE: Id = Id(2);
const EMPTY_TUPLE: Id = Id(3);

/// Reads the pickle that `bytes` begin with, of any protocol up to 5.
pub fn read(bytes: &[u8]) -> Result<Pickle<'_>, PickleError> {
    Machine::new(bytes).run()
}

/// The machine between two opcodes.
struct Machine<'a> {
    source: Source<'a>,
    steps: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// The stack's heights at the marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            source: Source::new(bytes),
            steps: 0,
            values: CONSTANTS.to_vec(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Runs until the opcode that ends a pickle.
    fn run(mut self) -> Step<Pickle<'a>> {
        loop {
            self.spend(1)?;
            let opcode = self.source.opcode()?;
            if opcode == opcode::STOP {
                let root = self.pop()?;
                return Ok(Pickle { values: self.values, root, length: self.source.length() });
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Step {
        if let Some(value) = self.source.literal(opcode)? {
            self.make(value);
            return Ok(());
        }
        match opcode {
            opcode::NONE => self.push(NONE),
            opcode::NEWTRUE => self.push(TRUE),
            opcode::NEWFALSE => self.push(FALSE),
            opcode::MARK => self.marks.push(self.stack.len()),
            opcode::POP => self.pop_or_unmark()?,
            opcode::POP_MARK => drop(self.marked()?),
            opcode::DUP => self.push(self.top()?),
            opcode::PUT
            | opcode::BINPUT
            | opcode::LONG_BINPUT
            | opcode::MEMOIZE
            | opcode::GET
            | opcode::BINGET
            | opcode::LONG_BINGET => self.memo(opcode)?,
            opcode::GLOBAL
            | opcode::INST
            | opcode::OBJ
            | opcode::REDUCE
            | opcode::NEWOBJ
            | opcode::NEWOBJ_EX
            | opcode::STACK_GLOBAL
            | opcode::BUILD
            | opcode::PERSID
            | opcode::BINPERSID => self.object(opcode)?,
            opcode::PROTO => self.protocol()?,
            // A frame only tells where buffers end.
            opcode::FRAME => drop(self.source.array::<8>()?),
            _ => self.container(opcode)?,
        }
        Ok(())
    }

    fn protocol(&mut self) -> Step {
        match self.source.array()? {
            [0..=5] => Ok(()),
            _ => self.source.malformed("a protocol newer than 5"),
        }
    }

    fn memo(&mut self, opcode: u8) -> Step {
        let key = match opcode {
            opcode::PUT | opcode::GET => match self.source.line()?.trim().parse() {
                Ok(key) => key,
                Err(_) => self.source.malformed("no place in the memo")?,
            },
            opcode::BINPUT | opcode::BINGET => self.source.natural(1)?,
            opcode::LONG_BINPUT | opcode::LONG_BINGET => self.source.natural(4)?,
            _ => self.memo.len() as u64,
        };
        if matches!(opcode, opcode::GET | opcode::BINGET | opcode::LONG_BINGET) {
            match self.memo.get(&key) {
                Some(&id) => self.push(id),
                None => self.source.malformed("nothing at this place of the memo")?,
            }
        } else {
            self.memo.insert(key, self.top()?);
        }
        Ok(())
    }

    fn container(&mut self, opcode: u8) -> Step {
        match opcode {
            opcode::EMPTY_TUPLE => self.push(EMPTY_TUPLE),
            opcode::EMPTY_LIST => self.make(Value::List(Vec::new())),
            opcode::EMPTY_DICT => self.make(Value::Dict(Vec::new())),
            opcode::EMPTY_SET => self.make(Value::Set(Vec::new())),
            opcode::TUPLE1..=opcode::TUPLE3 => {
                let items = self.pop_many(usize::from(opcode - opcode::TUPLE1 + 1))?;
                self.make(Value::Tuple(items));
            }
            opcode::TUPLE => {
                let items = self.marked()?;
                self.make(Value::Tuple(items));
            }
            opcode::LIST => {
                let items = self.marked()?;
                self.make(Value::List(items));
            }
            opcode::DICT => {
                let items = self.marked()?;
                let pairs = self.pairs(items)?;
                self.make(Value::Dict(pairs));
            }
            opcode::FROZENSET => {
                let items = self.marked()?;
                self.make(Value::Set(items));
            }
            opcode::APPEND | opcode::APPENDS | opcode::ADDITEMS => {
                let items = if opcode == opcode::APPEND { self.pop_many(1)? } else { self.marked()? };
                self.extend(items)?;
            }
            opcode::SETITEM | opcode::SETITEMS => {
                let items = if opcode == opcode::SETITEM { self.pop_many(2)? } else { self.marked()? };
                self.set_items(items)?;
            }
            _ => self.source.unknown(opcode)?,
        }
        Ok(())
    }

    fn extend(&mut self, items: Vec<Id>) -> Step {
        match self.top_value()? {
            Value::List(list) | Value::Set(list) => list.extend(items),
            // Whatever it would be, nothing can be put into it.
            Value::Made { .. } => {}
            _ => self.source.malformed("items for what is no list")?,
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Id>) -> Step {
        let new = self.pairs(items)?;
        match self.top_value()? {
            Value::Dict(pairs) => pairs.extend(new),
            Value::Made { .. } => {}
            _ => self.source.malformed("items for what is no dict")?,
        }
        Ok(())
    }

    fn pairs(&self, items: Vec<Id>) -> Step<Vec<(Id, Id)>> {
        let (pairs, rest) = items.as_chunks();
        match rest {
            [] => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
            _ => self.source.malformed("a key without its value"),
        }
    }

    fn object(&mut self, opcode: u8) -> Step {
        match opcode {
            opcode::GLOBAL => {
                let global = Value::Global { module: self.source.line()?, name: self.source.line()? };
                self.make(global);
            }
            opcode::STACK_GLOBAL => match self.pop_many(2)?[..] {
                [module, name] => match (self.value(module), self.value(name)) {
                    (&Value::Text(module), &Value::Text(name)) => self.make(Value::Global { module, name }),
                    _ => self.source.malformed("a global without a name")?,
                },
                _ => unreachable!("two were asked for"),
            },
            opcode::PERSID => {
                let name = Value::Text(self.source.line()?);
                self.make(name);
                let reference = self.pop()?;
                self.make(Value::Persistent(reference));
            }
            opcode::BINPERSID => {
                let reference = self.pop()?;
                self.make(Value::Persistent(reference));
            }
            opcode::BUILD => self.build()?,
            _ => {
                let (by, with) = self.call(opcode)?;
                self.write_down(by, with)?;
            }
        }
        Ok(())
    }

    /// What is called and with what, for each opcode that calls.
    fn call(&mut self, opcode: u8) -> Step<(Id, Id)> {
        match opcode {
            opcode::INST => {
                let global = Value::Global { module: self.source.line()?, name: self.source.line()? };
                let arguments = self.marked()?;
                Ok((self.add(global), self.add(Value::Tuple(arguments))))
            }
            opcode::OBJ => {
                let mut items = self.marked()?;
                if items.is_empty() {
                    return self.source.malformed("an object without a class");
                }
                let class = items.remove(0);
                Ok((class, self.add(Value::Tuple(items))))
            }
            _ => {
                // The newest way of making objects also has named arguments.
                if opcode == opcode::NEWOBJ_EX {
                    self.pop()?;
                }
                let (with, by) = (self.pop()?, self.pop()?);
                match self.value(with) {
                    Value::Tuple(_) => Ok((by, with)),
                    _ => self.source.malformed("arguments that are no tuple"),
                }
            }
        }
    }

    /// Puts down that `by` would be called with the tuple `with`. The standard
    /// library's dicts alone become what the call would give.
    fn write_down(&mut self, by: Id, with: Id) -> Step {
        let dict = match *self.value(by) {
            Value::Global { module: "collections", name: "defaultdict" } => Some(Vec::new()),
            Value::Global { module: "collections", name: "OrderedDict" }
            | Value::Global { module: "builtins" | "__builtin__", name: "dict" } => self.dict_of(with)?,
            _ => None,
        };
        self.make(dict.map_or(Value::Made { by, with, state: None }, Value::Dict));
        Ok(())
    }

    /// The dict of the arguments `()` or `([(key, value), ...],)`.
    fn dict_of(&mut self, arguments: Id) -> Step<Option<Vec<(Id, Id)>>> {
        let list = match self.items(arguments) {
            Some(&[list]) => list,
            Some([]) => return Ok(Some(Vec::new())),
            _ => return Ok(None),
        };
        // Before the work, or a short pickle could have a long list looked at often.
        self.spend(self.items(list).map_or(0, <[Id]>::len))?;
        let pair = |&id: &Id| <[Id; 2]>::try_from(self.items(id)?).ok();
        let pairs = self.items(list).map(|items| items.iter().map(pair));
        Ok(pairs.and_then(|pairs| pairs.map(|pair| pair.map(|[key, value]| (key, value))).collect()))
    }

    fn items(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    fn build(&mut self) -> Step {
        let given = self.pop()?;
        match self.top_value()? {
            Value::Made { state, .. } => *state = Some(given),
            // A state dict's own attributes: the versions of its modules.
            Value::Dict(_) => {}
            _ => self.source.malformed("a state for what has none")?,
        }
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Step {
        self.steps += steps;
        if self.steps > MAX_STEPS { Err(PickleError::TooLong) } else { Ok(()) }
    }

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    fn add(&mut self, value: Value<'a>) -> Id {
        let id = Id(u32::try_from(self.values.len()).expect("fewer values than steps"));
        self.values.push(value);
        id
    }

    fn make(&mut self, value: Value<'a>) {
        let id = self.add(value);
        self.push(id);
    }

    fn push(&mut self, id: Id) {
        self.stack.push(id);
    }

    /// The stack's height at the last mark: what lies below is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Id> {
        match self.stack[self.floor()..].last() {
            Some(&id) => Ok(id),
            None => self.source.malformed("an empty stack"),
        }
    }

    fn top_value(&mut self) -> Step<&mut Value<'a>> {
        let id = self.top()?;
        Ok(&mut self.values[id.0 as usize])
    }

    fn pop(&mut self) -> Step<Id> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_or_unmark(&mut self) -> Step {
        if self.stack.len() == self.floor() && self.marks.pop().is_some() {
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Id>> {
        match self.stack.len().checked_sub(count) {
            Some(rest) if rest >= self.floor() => Ok(self.stack.split_off(rest)),
            _ => self.source.malformed("too few values on the stack"),
        }
    }

    /// All values above the last mark, which goes.
    fn marked(&mut self) -> Step<Vec<Id>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => self.source.malformed("no mark on the stack"),
        }
    }
}
