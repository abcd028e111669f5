//! The program is linked without its symbols, which a quarter of it would be; what the tests link keeps them.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-bins=-Wl,-s");
}
