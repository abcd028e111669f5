"""A complete host in numpy and ONNX Runtime. It takes all that it knows from the bundle's manifest.

    python3 host.py BUNDLE simulated        (or npu)

feeds the picture and the prompt of the bundle's golden vectors, prints the tokens of the answer, and writes every tensor that
went into or came out of a model to host.safetensors, for `autoneural golden BUNDLE --vectors host.safetensors`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort

DTYPES = {"U8": np.uint8, "U16": np.uint16, "I32": np.int32, "U32": np.uint32}


def read_tensors(path):
    """A safetensors file: 8 bytes for the size of the header, the header in JSON, the data."""
    data = memoryview(Path(path).read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:start]))
    header.pop("__metadata__", None)
    made = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        made[name] = np.frombuffer(data[start + begin : start + end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return made


def write_tensors(path, tensors):
    names = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
    header, offset = {}, 0
    for name, tensor in tensors.items():
        end = offset + tensor.nbytes
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


class Host:
    def __init__(self, bundle, engine):
        self.bundle, self.engine = Path(bundle), engine
        self.manifest = json.loads((self.bundle / "manifest.json").read_text())
        self.host = self.manifest["host"]
        self.ports = {partition["name"]: partition for partition in self.manifest["partitions"]}
        self.tables = read_tensors(self.bundle / self.host["rotary"]["file"])
        embedding = self.host["embedding"]
        self.embedding = read_tensors(self.bundle / embedding["file"])[embedding["tensor"]]
        if engine == "npu":
            self.devices = self.register()
        self.sessions = {name: self.load(name) for name in self.ports}
        self.seen, self.counts = {}, {}

    # Models ---------------------------------------------------------------------------------------------------------------

    def register(self):
        """The QNN provider is a plugin: a library that is registered, and chosen by its devices."""
        import onnxruntime_qnn

        runtime = self.manifest["runtime"]
        library = Path(onnxruntime_qnn.__file__).parent / runtime["library"]
        ort.register_execution_provider_library(runtime["provider"], str(library))
        return [device for device in ort.get_ep_devices() if device.ep_name == runtime["provider"]]

    def load(self, partition):
        models = [model for model in self.manifest["models"] if model["partition"] == partition]
        assert len(models) == 1, "a partition in segments: run them in order, each on the outputs of those before it"
        runtime, options = self.manifest["runtime"], ort.SessionOptions()
        if self.engine == "simulated":
            # Any optimization would change the arithmetic.
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            path = self.bundle / models[0]["quantized"]
            return ort.InferenceSession(str(path), options, providers=[runtime["simulated_provider"]])
        for name, value in runtime["session"].items():
            options.add_session_config_entry(name, value)
        options.add_provider_for_devices(self.devices, runtime["options"])
        return ort.InferenceSession(str(self.bundle / models[0]["context"]["model"]), options)

    def run(self, partition, inputs):
        names = [port["name"] for port in self.ports[partition]["outputs"]]
        outputs = dict(zip(names, self.sessions[partition].run(names, inputs)))
        step = f"{partition}.{self.counts.get(partition, 0)}"
        self.counts[partition] = self.counts.get(partition, 0) + 1
        self.seen.update({f"{step}/{name}": np.array(tensor) for name, tensor in (inputs | outputs).items()})
        return outputs

    # Pictures -------------------------------------------------------------------------------------------------------------

    def see(self, pixels):
        """`[height, width, 3]` in 8 bits, at the size of the input; gives a row for each visual token."""
        image = self.host["image"]
        table = read_tensors(self.bundle / image["file"])[image["tensor"]]
        codes = np.stack([table[channel][pixels[..., channel]] for channel in range(3)])[None]
        features = self.run("vision", {"image": codes})
        # Ports with the same encoding_key have the same encoding: a hand-over is a copy.
        name = self.ports["projector"]["inputs"][0]["name"]
        (features,) = features.values()
        (rows,) = self.run("projector", {name: features}).values()
        return rows.reshape(-1, rows.shape[-1])

    # Sequences ------------------------------------------------------------------------------------------------------------

    def begin(self):
        """The state of a new sequence: buffers of the whole context. They are filled with the zero point, not with 0."""
        self.position, self.state = 0, {}
        for port in self.ports["language.decode"]["inputs"]:
            if state := port.get("state"):
                shape = list(port["shape"])
                if state["update"] == "append":
                    shape[state["axis"]] = self.host["sequence"]["context"]
                self.state[port["name"]] = np.full(shape, state["fill"], port["dtype"])

    def step(self, partition, rows):
        """Takes in `rows`, embeddings of tokens; gives the logits after the last one."""
        inputs = {port["name"]: self.input(port, rows) for port in self.ports[partition]["inputs"]}
        outputs = self.run(partition, inputs)
        for port in self.ports[partition]["inputs"]:
            state = port.get("state")
            if state and state["update"] == "replace":
                self.state[port["name"]] = outputs[state["next"]]
            elif state:
                # Only columns of tokens that count are written; those behind them are padding.
                new = np.moveaxis(outputs[state["next"]], state["axis"], 0)
                buffer = np.moveaxis(self.state[port["name"]], state["axis"], 0)
                buffer[self.position : self.position + len(rows)] = new[: len(rows)]
        self.position += len(rows)
        return outputs["logits"].reshape(-1)

    def input(self, port, rows):
        role, shape, state = port["role"], port["shape"], port.get("state")
        if state and state["update"] == "append":
            return np.ascontiguousarray(np.take(self.state[port["name"]], range(state["columns"]), state["axis"]))
        if state:
            return self.state[port["name"]]
        if role == "embeddings":
            missing = shape[1] - len(rows)
            return np.concatenate([rows, np.repeat(rows[-1:], missing, 0)])[None]
        if role == "rotary":
            table = self.tables[self.host["rotary"][port["name"]]]
            return table[self.position : self.position + shape[2]].reshape(shape)
        if role == "mask":
            mask = self.host["mask"]
            past = shape[3] - shape[2]
            row, column = np.arange(shape[2])[:, None], np.arange(shape[3])[None]
            visible = (column < self.position) | ((column >= past) & (column - past <= row))
            return np.where(visible, mask["visible_code"], mask["hidden_code"]).astype(port["dtype"]).reshape(shape)
        if port["name"] == "last":
            return np.full(shape, len(rows) - 1, np.int32)
        assert port["name"] == "state_columns", port
        return np.arange(len(rows), len(rows) + shape[0], dtype=np.int32)

    # Answers --------------------------------------------------------------------------------------------------------------

    def answer(self, pictures, tokens, most):
        """Tokens of the answer to a prompt in which an image token stands for every visual token."""
        prompt, sequence = self.host["prompt"], self.host["sequence"]
        visual = [row for pixels in pictures for row in self.see(pixels)]
        assert len(visual) == tokens.count(prompt["image"]["id"]), "as many image tokens as rows"
        visual = iter(visual)
        rows = np.stack([next(visual) if id == prompt["image"]["id"] else self.embedding[id] for id in tokens])
        assert len(rows) <= sequence["context"], "the prompt is longer than the context"
        self.begin()
        while len(rows):
            fits = self.position + sequence["prefill"] <= sequence["context"]
            by_prefill = len(rows) >= sequence["least_for_prefill"] and fits
            count = min(sequence["prefill"], len(rows)) if by_prefill else 1
            logits = self.step("language.prefill" if by_prefill else "language.decode", rows[:count])
            rows = rows[count:]
        made = []
        # All logits have one scale, so the largest integer is the most likely token.
        while (token := int(np.argmax(logits))) not in prompt["ends"] and len(made) < most:
            made.append(token)
            if self.position == sequence["context"]:
                break
            logits = self.step("language.decode", self.embedding[token][None])
        return made


def main():
    host = Host(sys.argv[1], sys.argv[2])
    golden = host.manifest["golden"]
    record = json.loads((host.bundle / golden["file"]).read_text())
    kept = read_tensors(host.bundle / golden["tensors"])
    (wanted,) = [made["answer"] for made in record["engines"] if made["engine"] == host.engine]
    pictures = [kept[picture["pixels"]["stored"]] for picture in record["pictures"][:1]]
    assert len(pictures) == len(record["pictures"]), "pixels are kept of the first picture only: resize the others as Pillow does"
    answer = host.answer(pictures, record["tokens"], len(wanted))
    print(f"answer: {answer}")
    write_tensors("host.safetensors", host.seen | {"answer": np.array(answer, np.uint32)})


main()
