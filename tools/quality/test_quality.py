"""What `make bench-quality` says of figures, and what it does with programs that fail. Needs no package."""

import json
import pathlib
import sys
import tempfile
import types
import unittest
import unittest.mock

import language
import measure
import models
import ours
import peers
import rows
import table


def figures(npu, **more):
    return {"simulated": {"db": 30.0, "worst_db": 28.0}, "npu": {"db": npu, "worst_db": npu - 1}, **more}


def row(own, peers, least_db=None):
    return {"name": "net", "bits": "W8A16", "note": "", "least_db": least_db, "ours": own, "peers": peers}


EVALUATION = {"engines": [
    {"engine": "float", "perplexity": 16.0, "above_float_percent": None},
    {"engine": "simulated", "perplexity": 18.0, "above_float_percent": 12.5},
    {"engine": "npu", "perplexity": 20.0, "above_float_percent": 25.0},
]}


class Table(unittest.TestCase):
    def test_a_goal_in_decibels_is_reached_by_the_best_method(self):
        own = {"nearest": figures(18.6), "qronos": figures(34.4)}
        lines, status = table.report([row(own, {"AIMET": figures(19.3)}, 33.0)], [])
        self.assertEqual(status, 0)
        self.assertIn("net W8A16: met: 34.4 dB, goal 33.0 dB", lines)

    def test_the_better_peer_is_to_be_reached(self):
        peers = {"ONNX Runtime": figures(18.2), "AIMET": figures(19.3)}
        lines, status = table.report([row({"default recipe": figures(19.2)}, peers)], [])
        self.assertEqual(status, 1)
        self.assertIn("net W8A16: MISSED: 19.2 dB, goal 19.3 dB, of the better peer", lines)

    def test_what_takes_more_bits_does_not_count(self):
        own = {"blocks": figures(25.0, bits_per_weight=5.4), "nearest": figures(2.0, bits_per_weight=4.2)}
        for most, wanted in ((5.0, 1), (5.5, 0)):
            _, status = table.report([{**row(own, {}, 20.0), "most_bits": most}], [])
            self.assertEqual(status, wanted)

    def test_beyond_the_exactness_of_float_more_counts_for_nothing(self):
        _, status = table.report([row({"default recipe": figures(123.5)}, {"AIMET": figures(123.9)})], [])
        self.assertEqual(status, 0)

    def test_a_peer_without_a_figure_is_no_goal_and_we_without_one_miss(self):
        refused = {"simulated": {"db": 20.0, "worst_db": 19.0}, "refused": "2 nodes on the CPU"}
        lines, status = table.report([row({"default recipe": figures(20.0)}, {"AIMET": refused})], [])
        self.assertEqual(status, 0)
        self.assertTrue(any(line.endswith("2 nodes on the CPU") for line in lines))
        _, status = table.report([row({"default recipe": {"failed": "error: no"}}, {"AIMET": figures(20.0)})], [])
        self.assertEqual(status, 1)

    def test_perplexity_may_grow_by_so_much_on_the_npu(self):
        found = language.of_evaluation(EVALUATION)
        for most, wanted in ((25.0, 0), (24.9, 1)):
            lines, status = table.report([{**row({"qronos": found}, {}), "most_percent": most}], [])
            self.assertEqual(status, wanted)
        self.assertIn("net W8A16: MISSED: +25.0 %, goal +24.9 % at most", lines)
        self.assertTrue(lines[1].endswith("perplexity 16.00 float, 18.00 simulated, 20.00 NPU"))
        self.assertIn("+12.5 %  +25.0 %", lines[1])

    def test_perplexity_in_simulation_alone_reaches_no_goal(self):
        found = language.of_evaluation({"engines": EVALUATION["engines"][:2]})
        lines, status = table.report([{**row({"nearest": found}, {}), "most_percent": 90.0}], [])
        self.assertEqual(status, 1)
        self.assertIn("net W8A16: MISSED: -, goal +90 % at most", lines)
        self.assertEqual(table.figure(found), "+12.5 %, simulated")

    def test_perplexity_may_grow_by_a_share_of_what_the_better_peer_adds(self):
        found = language.of_evaluation(EVALUATION)
        of_peer = lambda above: {"float": 16.0, "simulated": {"perplexity": 30.0, "above_percent": above}}
        goal = {"most_percent": 35.0, "most_of_peer": 0.5}
        for better, wanted in ((50.0, 0), (49.0, 1)):
            peers = {"ONNX Runtime": of_peer(90.0), "AIMET": of_peer(better), "other": {"failed": "no memory"}}
            lines, status = table.report([{**row({"qronos": found}, peers), **goal}], [])
            self.assertEqual(status, wanted)
        goal_line = "goal +35 % at most, and 0.5 of the better peer's +49.0 %, simulated"
        self.assertIn(f"net W8A16: MISSED: +25.0 %, {goal_line}", lines)
        lines, status = table.report([{**row({"qronos": found}, {"AIMET": {"failed": "no memory"}}), **goal}], [])
        self.assertIn("net W8A16: met: +25.0 %, goal +35 % at most, and no peer has a figure", lines)

    def test_a_row_that_was_not_measured_is_a_fault(self):
        lines, status = table.report([], ["net W8A16: not exported"])
        self.assertEqual((lines[-1], status), ("not measured: net W8A16: not exported", 2))

    def test_every_row_stands_with_its_costs(self):
        own = {"default recipe": figures(20.0, seconds=1.25, peak_bytes=150_000_000, binary_bytes=5_480_000)}
        line = table.text([row(own, {})])[1]
        self.assertEqual(line.split("  ")[0], "net")
        for part in ("ours, default recipe", "30.0 dB", "20.0 dB", "19.0 dB", "1.2 s", "0.15 GB", "5.48 MB"):
            self.assertIn(part, line)


REPORT = {
    "sizes": {"partitions": [{"name": "net", "weights": [
        {"bits": 4, "elements": 300, "bytes": 150, "scale_bytes": 15},
        {"bits": 8, "elements": 100, "bytes": 100, "scale_bytes": 10},
        {"bits": 32, "elements": 10, "bytes": 40, "scale_bytes": 0},
    ]}]},
    "partitions": [
        {
            "name": "net", "nodes": 10, "npu_nodes": 9, "cpu_nodes": 1, "binary_bytes": 7,
            "outputs": [
                {"sqnr_db": {"simulated": 40.0, "npu": 39.0}, "lowest": {"sqnr_db": {"simulated": 38.0, "npu": 37.0}}},
                {"sqnr_db": {"simulated": 41.0, "npu": 21.0}, "lowest": {"sqnr_db": {"simulated": 36.0, "npu": 20.0}}},
            ],
        }
    ]
}


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def program(self, body):
        """A program in place of ours."""
        path = self.path / "program"
        path.write_text(f"#!{sys.executable}\nimport sys\n{body}")
        path.chmod(0o755)
        return types.SimpleNamespace(program=path, toolkit=self.path / "toolkit")

    def compiled(self, body, recipe=None):
        model = models.Model(self.path / "net.onnx", self.path / "one.npz", self.path / "other.npz")
        return ours.compile_model(self.program(body), model, recipe, self.path / "out")

    def test_time_and_memory_are_those_of_the_command(self):
        body = "held = bytearray(200_000_000)\nsum(range(5_000_000))\nprint('done')"
        ran = measure.run([sys.executable, "-c", body], self.path / "log")
        self.assertEqual((ran.status, ran.out), (0, "done\n"))
        self.assertGreater(ran.seconds, 0)
        self.assertGreater(ran.peak_bytes, 200_000_000)

    def test_what_a_program_says_of_its_fault_is_kept(self):
        found = self.compiled("print('error: no such file\\n  help: look', file=sys.stderr)\nsys.exit(3)")
        self.assertEqual(found, {"failed": "error: no such file"})

    def test_the_weakest_output_of_each_engine_counts(self):
        body = f"""import json, pathlib
out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])
out.mkdir(exist_ok=True)
(out / 'report.json').write_text(json.dumps({REPORT!r}))
(out / 'said').write_text(' '.join(sys.argv))
sys.exit(6)"""
        found = self.compiled(body, ours.recipe([("a.*", "int8")], rounding="gptq", equalize={"alpha": 0.5}))
        self.assertEqual(found["simulated"], {"db": 40.0, "worst_db": 38.0})
        self.assertEqual(found["npu"], {"db": 21.0, "worst_db": 20.0})
        self.assertEqual((found["bits_per_weight"], found["bits_with_scales"]), (5.0, 5.5))
        self.assertEqual((found["refused"], found["binary_bytes"]), ("1 of 10 nodes on the CPU", 7))
        recipe = (self.path / "out/recipe.toml").read_text()
        override = 'tensor = "a.*"\ntype = "int8"'
        for part in ("[recipe.net]", 'rounding = "gptq"', "equalize = { alpha = 0.5 }", override):
            self.assertIn(part, recipe)
        said = (self.path / "out/bundle/said").read_text()
        self.assertIn("one.npz --verification", said)
        self.assertIn("other.npz --recipe", said)

    def test_a_language_model_is_emulated_where_the_row_says_so(self):
        place = self.program(f"""import json, pathlib
with open(pathlib.Path(__file__).parent / 'said', 'a') as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1] == 'eval':
    on = sys.argv[sys.argv.index('--on') + 1].split(',')
    print(json.dumps({{'engines': [one for one in {EVALUATION["engines"]!r} if one['engine'] in on]}}))
else:
    out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])
    out.mkdir(exist_ok=True)
    text = json.dumps({REPORT!r}).replace('"net"', '"language.prefill"')
    (out / 'report.json').write_text(text)""")
        place.real = place.root = self.path
        (self.path / "prose.txt").write_text("A lamp is lit.")
        (self.path / "graphs").mkdir()
        (self.path / "graphs/net.toml").write_text("context = 1024\n")
        model = models.Model(None, None, None, ("--weights", "checkpoint"), language=True)
        for emulated, on in ((False, "float,simulated"), (True, "float,simulated,npu")):
            (self.path / "said").unlink(missing_ok=True)
            found = language.compare(place, "net", model, language.recipe(weights="int4"), self.path / "out", emulated)
            *compiled, judged = (self.path / "said").read_text().splitlines()
            self.assertEqual(["--toolkit" in one for one in compiled], [False, True] if emulated else [False])
            self.assertIn(f"--windows {language.JUDGED} --json --on {on} ", judged)
            self.assertEqual((found["float"], found["simulated"]["above_percent"]), (16.0, 12.5))
            self.assertEqual((found.get("npu") or {}).get("perplexity"), 20.0 if emulated else None)
        self.assertEqual((found["refused"], found["bits_per_weight"]), ("1 of 10 nodes on the CPU", 5.0))
        self.assertEqual((self.path / "out/model.toml").read_text(), "context = 640\n")

    def test_peers_of_a_language_model_are_told_so(self):
        place = types.SimpleNamespace(python=None)
        for name, says in (
            ("ort_quantize.py", ""), ("judge_language.py", '{"float": 16.0, "simulated": {"above_percent": 90.0}}'),
        ):
            (self.path / name).write_text(f"import sys\nprint(sys.argv[1:], file=sys.stderr)\nprint({says!r})")
        model = models.Model(self.path / "net.onnx", "one.npz", "other.npz", language=True)
        with unittest.mock.patch.object(peers, "INSIDE", self.path):
            found = peers.quantize(place, "ONNX Runtime", "net.onnx", "net.onnx", model, "int4", self.path / "out")
        self.assertEqual((found["float"], found["simulated"]), (16.0, {"above_percent": 90.0}))
        self.assertIn("'int4', '--language'", (self.path / "out/quantize.log").read_text())
        self.assertIn("other.npz']", (self.path / "out/judge.log").read_text())

    def test_rows_have_names_of_their_own(self):
        names = [(one.name, one.bits) for one in rows.ROWS]
        self.assertEqual(len(names), len(set(names)))
        json.dumps([one.note for one in rows.ROWS])


if __name__ == "__main__":
    unittest.main()
