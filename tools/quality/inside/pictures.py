"""Pictures as an encoder without mean and deviation takes them: its size, RGB from 0 to 1.

usage: pictures.py MODEL.onnx OUT.npz PICTURE...
"""

import sys

import numpy as np
import onnx
from PIL import Image

model, out, *pictures = sys.argv[1:]
port = onnx.load(model, load_external_data=False).graph.input[0]
side = port.type.tensor_type.shape.dim[-1].dim_value
resized = (Image.open(path).convert("RGB").resize((side, side), Image.BILINEAR) for path in pictures)
values = [(np.asarray(picture, np.float32) / 255).transpose(2, 0, 1)[None] for picture in resized]
np.savez(out, **{port.name: np.stack(values)})
