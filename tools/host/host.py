"""A host: what a runtime in the car does around the models of a bundle.

It needs numpy, onnxruntime and, for --engine npu, onnxruntime-qnn, and reads manifest.json and the files that it names.
A question as text needs tokenizers and jinja2, a picture needs Pillow; token ids and pixels do without.

    python host.py out/demo --golden                                # the golden vectors of the bundle
    python host.py out/demo --engine npu --image a.png --prompt "Which warning lamp is lit?"
    python host.py out/demo --tokens 1,3,275,4,... --pixels rgb.raw

The last line of standard output is the answer as JSON. Exit status 1: a golden vector is not met.
"""

import argparse
import hashlib
import json
import os
import pathlib
import sys

import numpy as np

# Otherwise ONNX Runtime records what it does and sends it to its makers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort

SAFETENSORS = {"U8": np.uint8, "U16": np.uint16, "I32": np.int32, "F32": np.float32}


def read_tensors(path):
    """A safetensors file: the length of a JSON header, the header, the tensors row by row."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)

    def tensor(info):
        begin, end = info["data_offsets"]
        return np.frombuffer(data[start + begin : start + end], SAFETENSORS[info["dtype"]]).reshape(info["shape"])

    return {name: tensor(info) for name, info in header.items()}


def write_tensors(path, tensors):
    names, header, at = {np.dtype(value): key for key, value in SAFETENSORS.items()}, {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": names[tensor.dtype], "shape": tensor.shape, "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    text = json.dumps(header).encode()
    body = b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors.values())
    pathlib.Path(path).write_bytes(len(text).to_bytes(8, "little") + text + body)


class Models:
    """The models of a bundle on one engine. Each is loaded when it is first run."""

    def __init__(self, bundle, manifest, engine):
        self.bundle, self.manifest, self.engine, self.loaded, self.devices = bundle, manifest, engine, {}, None

    def cpu(self, file):
        options = ort.SessionOptions()
        # Every other level changes the arithmetic.
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        provider = self.manifest["runtime"]["simulated_provider"]
        return ort.InferenceSession(str(self.bundle / file), options, providers=[provider])

    def npu(self, file):
        runtime = self.manifest["runtime"]
        if self.devices is None:
            import onnxruntime_qnn

            library = pathlib.Path(onnxruntime_qnn.get_library_path()).with_name(runtime["library"])
            ort.register_execution_provider_library(runtime["provider"], str(library))
            self.devices = [device for device in ort.get_ep_devices() if device.ep_name == runtime["provider"]]
        options = ort.SessionOptions()
        options.add_provider_for_devices(self.devices, runtime["options"])
        for name, value in runtime["session"].items():
            options.add_session_config_entry(name, value)
        return ort.InferenceSession(str(self.bundle / file), options)

    def run(self, partition, tensors):
        """Runs a partition, as a rule one model; `tensors` are its inputs by name. Gives its outputs by name."""
        if partition["name"] not in self.loaded:
            models = [model for model in self.manifest["models"] if model["partition"] == partition["name"]]
            on_npu = [self.engine == "npu" and model["device"] == "npu" for model in models]
            self.loaded[partition["name"]] = [
                self.npu(model["context"]["model"]) if npu else self.cpu(model["quantized"])
                for model, npu in zip(models, on_npu)
            ]
        known = dict(tensors)
        for session in self.loaded[partition["name"]]:
            names = [output.name for output in session.get_outputs()]
            known |= zip(names, session.run(names, {one.name: known[one.name] for one in session.get_inputs()}))
        return {port["name"]: known[port["name"]] for port in partition["outputs"]}


class Host:
    def __init__(self, bundle, engine, fill=None):
        self.bundle = pathlib.Path(bundle)
        self.manifest = json.loads((self.bundle / "manifest.json").read_text())
        self.partitions = {partition["name"]: partition for partition in self.manifest["partitions"]}
        self.models = Models(self.bundle, self.manifest, engine)
        self.host = self.manifest["host"]
        self.tables = read_tensors(self.bundle / self.host["rotary"]["file"])
        embedding = self.host["embedding"]
        self.embeddings = read_tensors(self.bundle / embedding["file"])[embedding["tensor"]]
        # Of each language partition, its state inputs: buffers of their own, because ONNX Runtime takes no strides and
        # the rows of prefill are shorter than those of decode. New columns are written into both, so nothing is ever
        # copied whole.
        self.state = {
            name: {
                port["name"]: np.full(port["shape"], port["state"]["fill"] if fill is None else fill, port["dtype"])
                for port in self.partitions[name]["inputs"]
                if "state" in port
            }
            for name in ("language.prefill", "language.decode")
        }
        self.position, self.steps, self.dump = 0, {}, {}

    def run(self, name, inputs):
        """One step, whose tensors are kept under the names that golden vectors have."""
        partition = self.partitions[name]
        ordered = {port["name"]: np.ascontiguousarray(inputs[port["name"]]) for port in partition["inputs"]}
        outputs = self.models.run(partition, ordered)
        step = f"{name}.{self.steps.get(name, 0)}"
        self.steps[name] = self.steps.get(name, 0) + 1
        self.dump |= {f"{step}/{port}": tensor.copy() for port, tensor in (ordered | outputs).items()}
        return outputs

    def see(self, pixels):
        """Pixels `[height, width, 3]` of 8 bits become embeddings `[visual tokens, hidden]`."""
        table = self.tables[self.host["image"]["tensor"]]
        image = np.stack([table[channel][pixels[:, :, channel]] for channel in range(3)])[None]
        features = self.run("vision", {"image": image})["features"]
        return self.run("projector", {"features": features})["embeds"].reshape(-1, self.embeddings.shape[1])

    def mask(self, tokens, context):
        """A token sees the columns of the tokens before the step, itself, and the tokens of the step before it."""
        made = np.full((1, 1, tokens, context), self.host["mask"]["hidden_code"], self.port("mask")["dtype"])
        made[..., : self.position] = self.host["mask"]["visible_code"]
        for row in range(tokens):
            made[0, 0, row, context - tokens : context - tokens + row + 1] = self.host["mask"]["visible_code"]
        return made

    def port(self, name):
        return next(port for port in self.partitions["language.decode"]["inputs"] if port["name"] == name)

    def take(self, rows):
        """Takes in embeddings of tokens, as many as one step can. Gives the logits and the rows that are left."""
        sequence, rotary = self.host["sequence"], self.host["rotary"]
        fits = self.position + sequence["prefill"] <= sequence["context"]
        by_prefill = len(rows) >= sequence["least_for_prefill"] and fits
        name, tokens = ("language.prefill", sequence["prefill"]) if by_prefill else ("language.decode", 1)
        count = min(tokens, len(rows))
        now = np.concatenate([rows[:count], np.repeat(rows[count - 1 : count], tokens - count, axis=0)])
        angles = slice(self.position, self.position + tokens)
        inputs = {
            "embeds": now[None],
            "cos": self.tables[rotary["cos"]][None, None, angles],
            "sin": self.tables[rotary["sin"]][None, None, angles],
            "mask": self.mask(tokens, sequence["context"]),
            "last": np.array([count - 1], np.int32),
            "state_columns": np.arange(count, count + sequence["conv_columns"], dtype=np.int32),
        }
        outputs = self.run(name, inputs | self.state[name])
        for other, state in self.state.items():
            for port in self.partitions[other]["inputs"]:
                self.follow(port, state, outputs, count)
        self.position += count
        return outputs["logits"].ravel(), rows[count:]

    def follow(self, port, state, outputs, count):
        """Writes what a step made of a state into a buffer of it."""
        if "state" not in port:
            return
        buffer, made = state[port["name"]], outputs[port["state"]["next"]]
        if port["state"]["update"] == "replace":
            buffer[...] = made
        else:
            axis = port["state"]["axis"]
            # Columns of padding are left out; those behind the buffer's end only the other partition can still read.
            count = min(count, max(port["state"]["columns"] - self.position, 0))
            to, source = [slice(None)] * 4, [slice(None)] * 4
            to[axis], source[axis] = slice(self.position, self.position + count), slice(0, count)
            buffer[tuple(to)] = made[tuple(source)]

    def answer(self, tokens, visual, most):
        """Takes in a prompt and chooses the most likely tokens behind it."""
        prompt, context = self.host["prompt"], self.host["sequence"]["context"]
        if len(tokens) > context:
            raise SystemExit(f"the prompt has {len(tokens)} tokens; the context holds {context}")
        rows = self.embeddings[tokens]
        if "image" in prompt:
            rows[np.array(tokens) == prompt["image"]["id"]] = visual
        while len(rows):
            logits, rows = self.take(rows)
        chosen = []
        # Integers of one scale are ordered as the numbers that they stand for.
        while (best := int(logits.argmax())) not in prompt["ends"] and len(chosen) < most:
            chosen.append(best)
            if self.position == context:
                break
            logits, _ = self.take(self.embeddings[[best]])
        return chosen

    def tokens_of(self, question, pictures):
        """The tokens of a question with pictures before it."""
        import jinja2.sandbox
        import tokenizers

        prompt = self.host["prompt"]
        # A model of text alone has no token that stands for a picture.
        image, template = prompt.get("image", {"id": None, "text": ""}), prompt.get("template")
        form = template["content"]["user"] if template else "text"
        kinds = {"parts": {"type": "image"}, "urls": {"type": "image_url", "image_url": {"url": "image"}}}
        if form == "text":
            content = (image["text"] + ("\n" if "image_tags" in prompt else "")) * pictures + question
        else:
            content = [kinds[form]] * pictures + [{"type": "text", "text": question}]
        if template:
            environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
            text = environment.from_string((self.bundle / template["file"]).read_text()).render(
                messages=[{"role": "user", "content": content}], **template["variables"]
            )
        else:
            text = content
        for at, tag in enumerate(prompt.get("image_tags", [])):
            tagged = tag + image["text"] if at == 0 else image["text"] + tag
            text = text.replace(tagged, image["text"]).replace(image["text"], tagged)
        tokenizer = tokenizers.Tokenizer.from_file(str(self.bundle / prompt["tokenizer"]))
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        begin = [prompt["bos"]["id"]] if "bos" in prompt else []
        ids = ids[1:] if begin and ids[:1] == begin else ids
        times = {image["id"]: prompt["visual_tokens"]}
        return begin + [token for token in ids for _ in range(times.get(token, 1))]

    def pixels_of(self, path):
        """A picture, turned upright and stretched to the input's size."""
        from PIL import Image, ImageOps

        image, (height, width) = self.host["image"], self.host["image"]["size"]
        picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        return np.asarray(picture.resize((width, height), getattr(Image.Resampling, image["filter"].upper())))


def differences(golden, dump):
    """Names of golden tensors that the dump has otherwise, in the order of the steps."""
    for step in golden["steps"]:
        for tensor in step["inputs"] + step["outputs"]:
            name = f"{step['name']}/{tensor['name']}"
            made = dump.get(name)
            if made is None or hashlib.sha256(np.ascontiguousarray(made).tobytes()).hexdigest() != tensor["sha256"]:
                yield name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--engine", choices=["simulated", "npu"], default="simulated")
    parser.add_argument("--golden", action="store_true", help="take the golden vectors' prompt, and compare")
    parser.add_argument("--prompt", help="a question")
    parser.add_argument("--image", action="append", default=[], help="a picture, with --prompt")
    parser.add_argument("--tokens", help="token ids with commas between them, in place of --prompt")
    parser.add_argument("--pixels", action="append", default=[], help="a file of 8-bit red, green, blue, with --tokens")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--fill", type=int, help="begin state with this integer: what a wrong first state does")
    parser.add_argument("--dump", help="a safetensors file for all tensors, for `autoneural golden --vectors`")
    args = parser.parse_args()
    ort.set_default_logger_severity(3)
    host = Host(args.bundle, args.engine, args.fill)
    most, golden = args.max_tokens, None
    if args.golden:
        record = json.loads((args.bundle / host.manifest["golden"]["file"]).read_text())
        kept = read_tensors(args.bundle / host.manifest["golden"]["tensors"])
        golden = next(made for made in record["engines"] if made["engine"] == args.engine)
        tokens, most = record["tokens"], len(golden["answer"])
        pictures = [kept[picture["pixels"]["stored"]] for picture in record["pictures"]]
    elif args.tokens:
        size = host.host["image"]["size"] if args.pixels else ()
        tokens = [int(token) for token in args.tokens.split(",")]
        pictures = [np.fromfile(path, np.uint8).reshape(*size, 3) for path in args.pixels]
    else:
        tokens = host.tokens_of(args.prompt, len(args.image))
        pictures = [host.pixels_of(path) for path in args.image]
    host.dump |= {f"picture.{number}/pixels": pixels for number, pixels in enumerate(pictures)}
    visual = [host.see(pixels) for pixels in pictures]
    visual = np.concatenate(visual) if visual else host.embeddings[:0]
    answer = host.answer(tokens, visual, most)
    if args.dump:
        write_tensors(args.dump, host.dump | {"answer": np.array(answer, np.int32)})
    result = {"tokens": answer, "prompt_tokens": len(tokens)}
    if golden:
        result["different"] = list(differences(golden, host.dump))
        if answer != golden["answer"]:
            result["different"].append("answer")
    print(json.dumps(result))
    return 1 if result.get("different") else 0


if __name__ == "__main__":
    sys.exit(main())
