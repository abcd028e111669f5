//! The statements of a rewritten template.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{
    AutoEscape, Block, Break, CallBlock, Continue, Expr, FilterBlock, ForLoop, GetAttr, IfCond, List, Macro, Set,
    SetBlock, Spanned, Stmt, Template, Test, Var, WithBlock,
};
use minijinja::value::Value;

use super::globals::{ALONE, ITERATE};
use super::rewrite::{Made, Rewriter, call, constant, emit, refusal};

/// A whole template.
///
/// # Errors
/// A construct that Jinja refuses, or that is not supported, by line.
pub(crate) fn rewrite<'s>(text: &'s str, of: &Stmt<'s>) -> Made<Stmt<'s>> {
    Rewriter::new(text).stmt(of)
}

impl<'s> Rewriter<'s> {
    fn stmt(&mut self, of: &Stmt<'s>) -> Made<Stmt<'s>> {
        let span = span_of(of);
        self.deeper(span, |this| this.statement(of, span))
    }

    fn body(&mut self, of: &[Stmt<'s>]) -> Made<Vec<Stmt<'s>>> {
        of.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    /// Statements that may never be reached.
    fn soft_body(&mut self, of: &[Stmt<'s>], soft: bool) -> Made<Vec<Stmt<'s>>> {
        let before = std::mem::replace(&mut self.soft, soft);
        let made = self.body(of);
        self.soft = before;
        made
    }

    /// Statements whose names are their own.
    fn scope(&mut self, of: &[Stmt<'s>], span: Span) -> Made<Stmt<'s>> {
        let body = self.body(of)?;
        Ok(Stmt::WithBlock(Spanned::new(WithBlock { assignments: Vec::new(), body }, span)))
    }

    fn statement(&mut self, of: &Stmt<'s>, span: Span) -> Made<Stmt<'s>> {
        Ok(match of {
            Stmt::Template(node) => {
                Stmt::Template(Spanned::new(Template { children: self.body(&node.children)? }, span))
            }
            Stmt::EmitExpr(node) => Stmt::EmitExpr(emit(self.expr(&node.expr)?, span)),
            // All that is written goes one way, where it is counted.
            Stmt::EmitRaw(node) => Stmt::EmitExpr(emit(constant(Value::from_safe_string(node.raw.into()), span), span)),
            Stmt::ForLoop(node) => {
                let iter = call(ITERATE, vec![self.expr(&node.iter)?], node.iter.span());
                let filter_expr = node.filter_expr.as_ref().map(|expr| self.expr(expr)).transpose()?;
                let (body, else_body) = (self.soft_body(&node.body, false)?, self.soft_body(&node.else_body, false)?);
                let target = target(&node.target);
                let made = ForLoop { target, iter, filter_expr, recursive: node.recursive, body, else_body };
                Stmt::ForLoop(Spanned::new(made, span))
            }
            Stmt::IfCond(node) => {
                let expr = self.expr(&node.expr)?;
                let (true_body, false_body) =
                    (self.soft_body(&node.true_body, true)?, self.soft_body(&node.false_body, true)?);
                Stmt::IfCond(Spanned::new(IfCond { expr, true_body, false_body }, span))
            }
            Stmt::WithBlock(node) => {
                // All values are made before the first name is given.
                let (mut targets, mut values) = (Vec::new(), Vec::new());
                for (name, value) in &node.assignments {
                    targets.push(target(name));
                    values.push(self.value_for(name, value)?);
                }
                let list = |items| Expr::List(Spanned::new(List { items }, span));
                let assignments = if targets.is_empty() { Vec::new() } else { vec![(list(targets), list(values))] };
                Stmt::WithBlock(Spanned::new(WithBlock { assignments, body: self.body(&node.body)? }, span))
            }
            Stmt::Set(node) => {
                let expr = self.value_for(&node.target, &node.expr)?;
                Stmt::Set(Spanned::new(Set { target: target(&node.target), expr }, span))
            }
            Stmt::SetBlock(node) => {
                let filter = node.filter.as_ref().map(|filter| self.expr(filter)).transpose()?;
                let body = vec![self.scope(&node.body, span)?];
                Stmt::SetBlock(Spanned::new(SetBlock { target: target(&node.target), filter, body }, span))
            }
            Stmt::AutoEscape(node) => {
                let made = AutoEscape { enabled: self.expr(&node.enabled)?, body: vec![self.scope(&node.body, span)?] };
                Stmt::AutoEscape(Spanned::new(made, span))
            }
            Stmt::FilterBlock(node) => {
                let made = FilterBlock { filter: self.expr(&node.filter)?, body: vec![self.scope(&node.body, span)?] };
                Stmt::FilterBlock(Spanned::new(made, span))
            }
            Stmt::Block(node) => {
                let made = Block { name: node.name, required: node.required, body: self.soft_body(&node.body, false)? };
                Stmt::Block(Spanned::new(made, span))
            }
            Stmt::Macro(node) => Stmt::Macro(self.macro_of(node)?),
            Stmt::CallBlock(node) => {
                let made =
                    CallBlock { call: self.call(&node.call, false)?, macro_decl: self.macro_of(&node.macro_decl)? };
                Stmt::CallBlock(Spanned::new(made, span))
            }
            Stmt::Continue(_) => Stmt::Continue(Spanned::new(Continue, span)),
            Stmt::Break(_) => Stmt::Break(Spanned::new(Break, span)),
            Stmt::Import(_) | Stmt::FromImport(_) | Stmt::Extends(_) | Stmt::Include(_) => {
                Stmt::EmitExpr(emit(call(ALONE, Vec::new(), span), span))
            }
            Stmt::Do(_) => return Err(refusal(span, "unknown tag `do`")),
        })
    }

    /// The value for a target; several names take what a loop would go through.
    fn value_for(&mut self, target: &Expr<'s>, value: &Expr<'s>) -> Made<Expr<'s>> {
        let made = self.expr(value)?;
        Ok(match target {
            Expr::List(_) => call(ITERATE, vec![made], value.span()),
            _ => made,
        })
    }

    fn macro_of(&mut self, node: &Spanned<Macro<'s>>) -> Made<Spanned<Macro<'s>>> {
        let before = std::mem::replace(&mut self.in_macro, true);
        let mut body = self.soft_body(&node.body, false)?;
        let (mut defaults, mut given) = (Vec::new(), Vec::new());
        let from = node.args.len() - node.defaults.len();
        for (name, default) in node.args[from..].iter().zip(&node.defaults) {
            let made = self.expr(default)?;
            let constant_one = matches!(made, Expr::Const(_));
            defaults.push(if constant_one { made } else { constant(Value::UNDEFINED, default.span()) });
            // One that is computed may name the arguments before it, so it is computed among them.
            if !constant_one {
                given.push(default_of(target(name), target(name), self.expr(default)?));
            }
        }
        body.splice(0..0, given);
        self.in_macro = before;
        let args = node.args.iter().map(target).collect();
        Ok(Spanned::new(Macro { name: node.name, args, defaults, body }, node.span()))
    }
}

/// The value of an argument that was not given.
fn default_of<'s>(asked: Expr<'s>, name: Expr<'s>, value: Expr<'s>) -> Stmt<'s> {
    let span = value.span();
    let expr = Expr::Test(Spanned::new(Test { name: "undefined", expr: asked, args: Vec::new() }, span));
    let true_body = vec![Stmt::Set(Spanned::new(Set { target: name, expr: value }, span))];
    Stmt::IfCond(Spanned::new(IfCond { expr, true_body, false_body: Vec::new() }, span))
}

/// What is assigned to, which stays as it is.
fn target<'s>(of: &Expr<'s>) -> Expr<'s> {
    let span = of.span();
    match of {
        Expr::List(node) => Expr::List(Spanned::new(List { items: node.items.iter().map(target).collect() }, span)),
        Expr::GetAttr(node) => Expr::GetAttr(Spanned::new(GetAttr { expr: target(&node.expr), name: node.name }, span)),
        Expr::Var(node) => Expr::Var(Spanned::new(Var { id: node.id }, span)),
        _ => constant(Value::UNDEFINED, span),
    }
}

fn span_of(of: &Stmt<'_>) -> Span {
    match of {
        Stmt::Template(node) => node.span(),
        Stmt::EmitExpr(node) => node.span(),
        Stmt::EmitRaw(node) => node.span(),
        Stmt::ForLoop(node) => node.span(),
        Stmt::IfCond(node) => node.span(),
        Stmt::WithBlock(node) => node.span(),
        Stmt::Set(node) => node.span(),
        Stmt::SetBlock(node) => node.span(),
        Stmt::AutoEscape(node) => node.span(),
        Stmt::FilterBlock(node) => node.span(),
        Stmt::Block(node) => node.span(),
        Stmt::Import(node) => node.span(),
        Stmt::FromImport(node) => node.span(),
        Stmt::Extends(node) => node.span(),
        Stmt::Include(node) => node.span(),
        Stmt::Macro(node) => node.span(),
        Stmt::CallBlock(node) => node.span(),
        Stmt::Continue(node) => node.span(),
        Stmt::Break(node) => node.span(),
        Stmt::Do(node) => node.span(),
    }
}
