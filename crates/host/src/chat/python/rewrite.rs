//! A parsed template in which Python's operators, attributes, literals and loops are calls of ours.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    BinOp, BinOpKind, Call, CallArg, CompareOpKind, Const, EmitExpr, Expr, Filter, GetAttr, IfExpr, List, Spanned,
    Test, UnaryOp, UnaryOpKind, Var,
};
use minijinja::value::Value;

use super::globals::{ATTRIBUTE, CALL, CHAIN, DICT, ITEM, ITERATE, METHOD, NEGATE, SLICE, TUPLE};
use super::names::{FILTERS, TESTS};
use super::refusal::Refusal;
use super::source;

/// How deep expressions and statements may stand in each other.
const DEEPEST: usize = 400;

/// Result of a piece.
pub(crate) type Made<T> = Result<T, Refusal>;

/// Rewrites a template.
pub(crate) struct Rewriter<'s> {
    /// The text that was parsed.
    pub text: &'s str,
    /// How deep the piece at hand stands.
    depth: usize,
    /// Whether it may never be reached, so that a filter which nobody knows is no error yet.
    pub soft: bool,
    /// Whether it is part of a macro.
    pub in_macro: bool,
}

impl<'s> Rewriter<'s> {
    /// For a text.
    pub(crate) fn new(text: &'s str) -> Self {
        Rewriter { text, depth: 0, soft: false, in_macro: false }
    }

    /// Does one level of the work.
    ///
    /// # Errors
    /// The piece stands too deep.
    pub(crate) fn deeper<T>(&mut self, span: Span, work: impl FnOnce(&mut Self) -> Made<T>) -> Made<T> {
        if self.depth >= DEEPEST {
            return Err(refusal(span, format!("more than {DEEPEST} levels deep")));
        }
        self.depth += 1;
        let made = work(self);
        self.depth -= 1;
        made
    }

    /// An expression.
    pub(crate) fn expr(&mut self, of: &Expr<'s>) -> Made<Expr<'s>> {
        let span = of.span();
        self.deeper(span, |this| match this.negated(of) {
            true => Ok(call(NEGATE, vec![this.inner(of, true)?], span)),
            false => this.inner(of, false),
        })
    }

    /// Whether a minus stands before names, items and calls. The parser gives it to the first name alone.
    fn negated(&self, of: &Expr<'s>) -> bool {
        let mut at = of;
        loop {
            let base = match at {
                Expr::GetAttr(node) => &node.expr,
                Expr::GetItem(node) => &node.expr,
                Expr::Slice(node) => &node.expr,
                Expr::Call(node) => &node.expr,
                _ => return false,
            };
            if let Expr::UnaryOp(node) = base {
                return matches!(node.op, UnaryOpKind::Neg) && self.starts_with(at.span(), '-');
            }
            at = base;
        }
    }

    fn starts_with(&self, span: Span, c: char) -> bool {
        self.text.get(span.start_offset as usize..).is_some_and(|text| text.starts_with(c))
    }

    /// The first part of names, items and calls; without its minus if that is for the whole.
    fn base(&mut self, of: &Expr<'s>, strip: bool) -> Made<Expr<'s>> {
        match of {
            Expr::UnaryOp(node) if strip => self.expr(&node.expr),
            Expr::GetAttr(_) | Expr::GetItem(_) | Expr::Slice(_) | Expr::Call(_) if strip => {
                self.deeper(of.span(), |this| this.inner(of, true))
            }
            _ => self.expr(of),
        }
    }

    fn inner(&mut self, of: &Expr<'s>, strip: bool) -> Made<Expr<'s>> {
        let span = of.span();
        Ok(match of {
            Expr::Var(node) => {
                if self.in_macro && matches!(node.id, "varargs" | "kwargs") {
                    return Err(refusal(span, format!("`{}` of a macro is not supported", node.id)));
                }
                Expr::Var(Spanned::new(Var { id: node.id }, span))
            }
            Expr::Const(node) => constant(self.literal(&node.value, span)?, span),
            Expr::Slice(node) => {
                let mut args = vec![self.base(&node.expr, strip)?];
                for bound in [&node.start, &node.stop, &node.step] {
                    args.push(match bound {
                        Some(bound) => self.expr(bound)?,
                        None => constant(Value::from(()), span),
                    });
                }
                call(SLICE, args, span)
            }
            Expr::UnaryOp(node) => match node.op {
                UnaryOpKind::Neg => call(NEGATE, vec![self.expr(&node.expr)?], span),
                UnaryOpKind::Not => {
                    let op = UnaryOp { op: UnaryOpKind::Not, expr: self.expr(&node.expr)? };
                    Expr::UnaryOp(Spanned::new(op, span))
                }
            },
            Expr::BinOp(node) => {
                let (mut left, right) = (self.expr(&node.left)?, self.expr(&node.right)?);
                match sign(node.op) {
                    Some(sign) => call(sign, vec![left, right], span),
                    None => {
                        // Of two constants the engine's compiler would make one, and not the one that Python gives.
                        if left.as_const().is_some() {
                            let test_expr = constant(true.into(), span);
                            left = Expr::IfExpr(Spanned::new(
                                IfExpr { test_expr, true_expr: left, false_expr: None },
                                span,
                            ));
                        }
                        Expr::BinOp(Spanned::new(BinOp { op: node.op, left, right }, span))
                    }
                }
            }
            Expr::Compare(node) => {
                let mut args = vec![self.expr(&node.expr)?];
                for op in &node.ops {
                    args.push(constant(comparison(op.op).into(), span));
                    args.push(self.expr(&op.expr)?);
                }
                call(CHAIN, args, span)
            }
            Expr::IfExpr(node) => {
                let soft = std::mem::replace(&mut self.soft, true);
                let made = IfExpr {
                    test_expr: self.expr(&node.test_expr)?,
                    true_expr: self.expr(&node.true_expr)?,
                    false_expr: node.false_expr.as_ref().map(|otherwise| self.expr(otherwise)).transpose()?,
                };
                self.soft = soft;
                Expr::IfExpr(Spanned::new(made, span))
            }
            Expr::Filter(node) => {
                if !self.soft && !FILTERS.contains(&node.name) {
                    return Err(refusal(span, format!("no filter named '{}'", node.name)));
                }
                let expr = node.expr.as_ref().map(|expr| self.expr(expr)).transpose()?;
                Expr::Filter(Spanned::new(Filter { name: node.name, expr, args: self.args(&node.args)? }, span))
            }
            Expr::Test(node) => {
                if !self.soft && !TESTS.contains(&node.name) {
                    return Err(refusal(span, format!("no test named '{}'", node.name)));
                }
                let (expr, args) = (self.expr(&node.expr)?, self.args(&node.args)?);
                Expr::Test(Spanned::new(Test { name: node.name, expr, args }, span))
            }
            Expr::GetAttr(node) => {
                call(ATTRIBUTE, vec![self.base(&node.expr, strip)?, constant(node.name.into(), span)], span)
            }
            Expr::GetItem(node) => {
                call(ITEM, vec![self.base(&node.expr, strip)?, self.expr(&node.subscript_expr)?], span)
            }
            Expr::Call(node) => Expr::Call(self.call(node, strip)?),
            Expr::List(node) => {
                let items = node.items.iter().map(|item| self.expr(item)).collect::<Made<_>>()?;
                let made = Expr::List(Spanned::new(List { items }, span));
                // The parser takes tuples for lists.
                let before = node.items.first().is_some_and(|first| first.span().start_offset < span.start_offset);
                let is_list = self.starts_with(span, '[') && !before;
                if is_list { made } else { call(TUPLE, vec![made], span) }
            }
            Expr::Map(node) => {
                let mut list = |of: &Vec<Expr<'s>>| {
                    let items = of.iter().map(|item| self.expr(item)).collect::<Made<_>>()?;
                    Ok(Expr::List(Spanned::new(List { items }, span)))
                };
                call(DICT, vec![list(&node.keys)?, list(&node.values)?], span)
            }
        })
    }

    /// A call; of a name it stays what it is, since macros and `loop` are the engine's.
    pub(crate) fn call(&mut self, of: &Spanned<Call<'s>>, strip: bool) -> Made<Spanned<Call<'s>>> {
        let span = of.span();
        let mut args = self.args(&of.args)?;
        let expr = match &of.expr {
            Expr::Var(node) => {
                if node.id == "loop" {
                    args = args.into_iter().map(|arg| iterated(arg, span)).collect();
                }
                Expr::Var(Spanned::new(Var { id: node.id }, span))
            }
            Expr::GetAttr(node) if matches!(&node.expr, Expr::Var(var) if var.id == "self") => {
                let expr = Expr::Var(Spanned::new(Var { id: "self" }, span));
                Expr::GetAttr(Spanned::new(GetAttr { expr, name: node.name }, span))
            }
            Expr::GetAttr(node) => {
                let head = [self.base(&node.expr, strip)?, constant(node.name.into(), span)];
                args = head.into_iter().map(CallArg::Pos).chain(args).collect();
                Expr::Var(Spanned::new(Var { id: METHOD }, span))
            }
            other => {
                args.insert(0, CallArg::Pos(self.base(other, strip)?));
                Expr::Var(Spanned::new(Var { id: CALL }, span))
            }
        };
        Ok(Spanned::new(Call { expr, args }, span))
    }

    fn args(&mut self, args: &[CallArg<'s>]) -> Made<Vec<CallArg<'s>>> {
        let one = |arg: &CallArg<'s>| {
            Ok(match arg {
                CallArg::Pos(expr) => CallArg::Pos(self.expr(expr)?),
                CallArg::Kwarg(name, expr) => CallArg::Kwarg(name, self.expr(expr)?),
                CallArg::PosSplat(expr) => {
                    let span = expr.span();
                    CallArg::PosSplat(call(ITERATE, vec![self.expr(expr)?], span))
                }
                CallArg::KwargSplat(expr) => CallArg::KwargSplat(self.expr(expr)?),
            })
        };
        args.iter().map(one).collect()
    }

    /// A constant; the parser reads a few escapes otherwise than Python.
    fn literal(&self, value: &Value, span: Span) -> Made<Value> {
        let source = self.text.get(span.start_offset as usize..span.end_offset as usize).unwrap_or_default();
        if value.as_str().is_none() || !source.contains('\\') || !source.starts_with(['"', '\'']) {
            return Ok(value.clone());
        }
        source::literal(source).map(Value::from).map_err(|message| refusal(span, message))
    }
}

/// An error at a place.
pub(crate) fn refusal(span: Span, message: impl Into<String>) -> Refusal {
    Refusal::at(span.start_line.into(), message)
}

/// A constant value.
pub(crate) fn constant<'s>(value: Value, span: Span) -> Expr<'s> {
    Expr::Const(Spanned::new(Const { value }, span))
}

/// A call of a function of ours.
pub(crate) fn call<'s>(name: &'static str, args: Vec<Expr<'s>>, span: Span) -> Expr<'s> {
    let expr = Expr::Var(Spanned::new(Var { id: name }, span));
    Expr::Call(Spanned::new(Call { expr, args: args.into_iter().map(CallArg::Pos).collect() }, span))
}

/// What writes a value.
pub(crate) fn emit<'s>(expr: Expr<'s>, span: Span) -> Spanned<EmitExpr<'s>> {
    Spanned::new(EmitExpr { expr }, span)
}

fn iterated<'s>(arg: CallArg<'s>, span: Span) -> CallArg<'s> {
    match arg {
        CallArg::Pos(expr) => CallArg::Pos(call(ITERATE, vec![expr], span)),
        other => other,
    }
}

fn sign(op: BinOpKind) -> Option<&'static str> {
    Some(match op {
        BinOpKind::ScAnd | BinOpKind::ScOr => return None,
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::Concat => "~",
        BinOpKind::In => "in",
    })
}

fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}
