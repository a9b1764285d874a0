"""The check of the walls sees what is planted, and nothing else. Run: python3 -m unittest discover .ci -p '*_test.py'"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import walls


def found_in(files: dict[str, str]) -> list[str]:
    """The violations of a crate that consists of these files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "planted"
        for name, text in files.items():
            path = root / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return walls.violations(root)


class Circles(unittest.TestCase):
    def test_two_files_that_import_each_other_are_a_circle(self):
        found = found_in({"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B;", "b.rs": "use super::a::A;"})
        self.assertEqual(found, ["planted: import circle a.rs -> b.rs -> a.rs"])

    def test_a_circle_over_three_folders_is_printed_once_with_its_way(self):
        found = found_in({
            "lib.rs": "mod a; mod b; mod c;",
            "a/mod.rs": "mod one;",
            "a/one.rs": "use crate::{b::{self, two::{Two, Other}}};",
            "b/mod.rs": "pub mod two;",
            "b/two.rs": "fn f() { crate::c::g() }",
            "c.rs": "use crate::a::one::X as Y;",
        })
        self.assertEqual(found, ["planted: import circle a/one.rs -> b/two.rs -> c.rs -> a/one.rs"])

    def test_a_circle_behind_a_re_export_is_seen(self):
        for passed_on in ("pub(crate) use deep::Deep;", "pub use self::deep::*;", "pub use deep::{Deep as Other, Deep};"):
            found = found_in({
                "lib.rs": "mod folder; mod user;",
                "folder/mod.rs": f"mod deep; {passed_on}",
                "folder/deep.rs": "use crate::user::User; pub struct Deep;",
                "user.rs": "use crate::folder::Deep; pub struct User;",
            })
            self.assertEqual(found, ["planted: import circle folder/deep.rs -> user.rs -> folder/deep.rs"], passed_on)

    def test_names_that_the_crate_root_passes_on_lead_to_their_files(self):
        found = found_in({
            "lib.rs": "mod ids; mod user; pub use ids::Id; pub use user::User;",
            "ids.rs": "use crate::User; pub struct Id;",
            "user.rs": "use crate::Id; pub struct User;",
        })
        self.assertEqual(found, ["planted: import circle ids.rs -> user.rs -> ids.rs"])

    def test_a_folder_and_its_files_may_name_each_other(self):
        files = {"lib.rs": "mod a;", "a/mod.rs": "mod b; use b::B; pub struct A;", "a/b.rs": "use super::A; pub struct B;"}
        self.assertEqual(found_in(files), [])

    def test_imports_in_one_direction_are_no_circle(self):
        files = {"lib.rs": "mod a; mod b; mod c;", "a.rs": "use crate::{b, c};", "b.rs": "use crate::c;", "c.rs": "use std::fmt;"}
        self.assertEqual(found_in(files), [])

    def test_comments_texts_and_tests_import_nothing(self):
        found = found_in({
            "lib.rs": "mod a; mod b; #[cfg(test)] mod check;",
            "a.rs": "use crate::b::B;",
            "b.rs": """
                /// See [`crate::a`].  /* crate::a */
                const TEXT: &str = r#"crate::a "quoted" "#; const QUOTE: char = '"'; // crate::a
                #[cfg(test)]
                mod tests { use crate::a::A; }
            """,
            "check.rs": "use crate::a::A;",
        })
        self.assertEqual(found, [])

    def test_what_follows_a_test_is_read(self):
        found = found_in({
            "lib.rs": "mod a; mod b;",
            "a.rs": "use crate::b::B;",
            "b.rs": "#[cfg(test)] use std::{fmt, io}; #[cfg(not(test))] use crate::a::A;",
        })
        self.assertEqual(found, ["planted: import circle a.rs -> b.rs -> a.rs"])


class Methods(unittest.TestCase):
    BASE = {"lib.rs": "mod a; mod b; mod c;", "a.rs": "pub struct S<T>(T); impl<T: Clone> S<T> where T: Copy { fn a() {} }"}

    def test_methods_in_three_files_are_too_many(self):
        found = found_in({**self.BASE, "b.rs": "use crate::a::S; impl S<u8> {}", "c.rs": "use crate::a::*; impl super::a::S<Vec<u8>> {}"})
        self.assertEqual(found, ["planted: S has methods in 3 files: a.rs, b.rs, c.rs"])

    def test_two_files_and_any_number_of_traits_are_fine(self):
        found = found_in({**self.BASE, "b.rs": "use crate::a::S; impl S<u8> {}", "c.rs": "use crate::a::S; impl From<S<u8>> for u8 {} impl Drop for S<u8> {}"})
        self.assertEqual(found, [])

    def test_types_of_the_same_name_are_different_types(self):
        files = {f"{name}.rs": "struct Config; impl Config {}" for name in "abc"}
        self.assertEqual(found_in({"lib.rs": "mod a; mod b; mod c;", **files}), [])


class Command(unittest.TestCase):
    def run_on(self, files: dict[str, str]) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder) / "planted/src" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            command = [sys.executable, str(Path(walls.__file__).resolve()), "planted"]
            return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    def test_it_fails_on_a_circle_and_where_there_is_nothing_to_read(self):
        circle = self.run_on({"lib.rs": "mod a; mod b;", "a.rs": "use crate::b::B;", "b.rs": "use crate::a::A;"})
        self.assertEqual(circle.returncode, 1)
        self.assertIn("a.rs -> b.rs -> a.rs", circle.stdout)
        self.assertEqual(self.run_on({}).returncode, 1)
        self.assertEqual(self.run_on({"lib.rs": "mod a;", "a.rs": ""}).returncode, 0)


if __name__ == "__main__":
    unittest.main()
