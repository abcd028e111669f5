//! Pictures of `autoneural graph`, checked.

use std::path::Path;
use std::process::Command;

use crate::common::{stderr, stdout};

/// Parses a picture and prints its boxes and texts in order. Fails where a text leaves the picture, crosses the edge of
/// a box or meets another text; a character is 0.602 of the font's size wide, as in DejaVu Sans Mono.
pub const CHECK: &str = "
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
strip = lambda e: e.tag.split('}')[1]
assert strip(root) == 'svg'
width, height = int(root.get('width')), int(root.get('height'))
sizes = {'title': 18, 'name': 14}
texts, boxes = [], []
for e in root:
    kind, c = strip(e), e.get('class') or ''
    if kind == 'rect' and c != 'paper':
        x, y, w, h = (int(e.get(k)) for k in ('x', 'y', 'width', 'height'))
        boxes.append((x, y, x + w, y + h))
        print('box', c)
    elif kind == 'text':
        said = ''.join(e.itertext()) if not len(e) else e[0].tail
        size = sizes.get(c, 12)
        x, y, w = int(e.get('x')), int(e.get('y')), len(said) * size * 0.602
        if 'middle' in c:
            x -= w / 2
        box = (x, y - size * 0.8, x + w, y + size * 0.2)
        assert 0 <= box[0] and box[2] <= width and 0 <= box[1] and box[3] <= height, ('outside', said)
        texts.append((box, said))
        print('text', c, '|', said, *(part for title in e for part in ('|', title.text)))
    elif kind == 'polyline':
        points = [tuple(map(int, p.split(','))) for p in e.get('points').split()]
        assert all(0 <= x <= width and 0 <= y <= height for x, y in points)
        print('arrow', *('right' if x < u else 'left' if x > u else 'down' if y < v else 'up'
                         for (x, y), (u, v) in zip(points, points[1:])))
    else:
        assert kind in ('title', 'desc', 'style', 'defs', 'rect'), kind
meet = lambda a, b: a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
within = lambda a, b: b[0] <= a[0] and a[2] <= b[2] and b[1] <= a[1] and a[3] <= b[3]
for at, (box, said) in enumerate(texts):
    for other, theirs in texts[at + 1:]:
        assert not meet(box, other), ('texts meet', said, theirs)
    for edge in boxes:
        assert not meet(box, edge) or within(box, edge), ('on an edge', said)
";

/// What the check says of a picture.
pub fn outline(svg: &Path) -> String {
    let output = Command::new("python3").args(["-c", CHECK]).arg(svg).output().expect("python3 starts");
    assert!(output.status.success(), "{}: {}", svg.display(), stderr(&output));
    stdout(&output)
}
