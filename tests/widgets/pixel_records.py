"""Records to explore: simulated faces, and a narrow VGG-Face with random weights."""

import cv2
import numpy as np
import pandas as pd
import torch

from painkit.attribution.pixel_record import PixelRecord
from painkit.faces.alignment import apply_transform, box_transform, landmark_box, square_box
from painkit.models.nets.vgg_face import VGGFace, to_input
from painkit.simulation.action_units import landmarks
from painkit.simulation.anatomy import NEUTRAL_POSE, draw_person
from painkit.simulation.portraits import MIXTURES, units
from painkit.simulation.regions import region_mask
from painkit.simulation.render import render
from painkit.vocabulary.action_units import UNIT_NAMES
from painkit.vocabulary.classes import EXPRESSIONS


def drawn_faces(people=3, size=48, width=0.0625, nets=2):
    """Three expressions of each of some people, seen by some untrained nets."""
    rng = np.random.default_rng(0)
    pose = np.array(NEUTRAL_POSE)
    images, points, regions = [], [], []
    for _ in range(people):
        person = draw_person(rng)
        for name in EXPRESSIONS:
            shown = units(MIXTURES[name])
            face = landmarks(person, shown[None], pose[None])[0]
            crop = box_transform(square_box(landmark_box(face)), size)
            images.append(
                cv2.warpAffine(render(person, shown, pose), crop, (size, size), flags=cv2.INTER_AREA)
            )
            points.append(apply_transform(crop, face))
            regions.append(
                {
                    f"AU{au} {UNIT_NAMES[au]}": region_mask(au, points[-1], (size, size))
                    for au in MIXTURES[name]
                }
            )
    models = {}
    for number in range(nets):
        torch.manual_seed(number)
        models[f"net {number + 1}"] = net = VGGFace(3, width=width, input_size=size).eval()
        for layer in net:  # what passes through keeps its size
            if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                torch.nn.init.zeros_(layer.bias)
        net.conv1_1.weight.data /= 64
    x = to_input(np.stack(images))
    with torch.inference_mode():
        logits = {name: net(x).numpy() for name, net in models.items()}
    n = len(images)
    return PixelRecord(
        images=np.stack(images),
        landmarks=np.stack(points),
        frames=pd.DataFrame(
            {
                "subject": np.repeat([f"s{i + 1}" for i in range(people)], len(EXPRESSIONS)),
                "sequence": list(EXPRESSIONS) * people,
                "frame": np.arange(n) + 10,
            }
        ),
        classes=EXPRESSIONS,
        true=np.tile(np.arange(3), people),
        models=models,
        logits=logits,
        to_input=to_input,
        simulated=True,
        true_regions=regions,
    )
