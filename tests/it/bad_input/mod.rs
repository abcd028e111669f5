//! What bad input gets: an error that names the place and says what is wrong, the exit status of its kind, and nothing
//! left behind. Every run here has little memory and time, so sizes must be checked before memory is taken.

mod bundle;
mod checkpoint;
mod definition;
mod encodings;
mod limits;
mod recipe;
mod system;
mod target;
