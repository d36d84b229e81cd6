"""Tries a model, a loss and metrics on a few examples, before anything is trained: what is wrong is said in a line."""

import torch
from torch import Tensor, nn

from objectives.data import Splits
from objectives.data.entry.refusals import placed, refused
from objectives.losses import Loss, Targets
from objectives.metrics import Metric
from objectives.models import Architecture, Model, Network
from objectives.training.criteria import Criteria
from objectives.training.measuring.whole import value
from objectives.training.networks.network import Computation, networks_for
from tuner.errors import ContractError
from tuner.tracebacks import users_code

CPU = torch.device("cpu")
EXAMPLES = 2
"""Examples of the model's trial: batch norm needs more than one."""
MANY = 4096
"""Validation examples of the others' trial, at most: some metrics need all classes."""


def try_out(splits: Splits, model: Model | Architecture, criteria: Criteria) -> None:
    """Try all three on the CPU. The loss and the metrics are given random outputs.

    Raises:
        ConfigError: They raised an error, or returned what they must not.
    """
    with torch.random.fork_rng(devices=[]):
        targets = splits.validation.labels[:MANY]
        outputs = torch.randn(len(targets), splits.classes, generator=torch.Generator().manual_seed(0))
        _try_loss(criteria.loss, outputs, targets)
        for index, metric in enumerate(criteria.metrics):
            with placed(f"metrics.{index}", metric.name):
                _try_metric(metric, outputs, targets)
        owner = type(model).__name__
        with placed("model", owner):
            inputs = splits.train.inputs[:EXAMPLES]
            if isinstance(model, Architecture):
                _try_module(model, splits, inputs.view(-1, *splits.shape))
            with users_code(f"{owner}: a step of training on {len(inputs)} examples"):
                _try_step(model, splits, criteria.loss)


def _try_loss(loss: Loss, outputs: Tensor, targets: Tensor) -> None:
    with placed("loss", loss.name):
        with users_code(loss.name):
            found: object = loss.function(outputs.clone().requires_grad_(), targets.clone())
        if not isinstance(found, Tensor) or found.ndim:
            what = (
                f"a tensor of shape {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            )
            raise refused(f"it returned {what}; return the mean over the examples, a tensor without dimensions")
        if not found.requires_grad:
            raise refused("what it returned cannot be differentiated; compute it from the outputs by torch alone")


def _try_metric(metric: Metric, outputs: Tensor, targets: Tensor) -> None:
    kinds = {Targets.NUMBERS, Targets.SHARES} if targets.is_floating_point() else {Targets.CLASSES}
    if not kinds & metric.targets:
        labels = "numbers" if targets.is_floating_point() else "classes"
        raise refused(f"it is for {' or '.join(sorted(metric.targets))} as targets, and the labels are {labels}")
    try:
        with users_code(metric.name):
            value(metric, outputs.clone(), targets.clone())
    except ContractError as error:
        raise refused(str(error)) from error


def _try_module(model: Architecture, splits: Splits, inputs: Tensor) -> None:
    owner = type(model).__name__
    with users_code(f"{owner}.module({splits.shape}, {splits.classes})"):
        module: object = model.module(splits.shape, splits.classes)
    if not isinstance(module, nn.Module):
        raise refused(f"its method module returned a {type(module).__name__}; return a torch.nn.Module")
    given = f"inputs {list(inputs.shape)} of {str(inputs.dtype).removeprefix('torch.')}"
    hint = "" if inputs.is_floating_point() else " (inputs of whole numbers are for embeddings; give others as float32)"
    with users_code(f"{owner}: its module, given {given}{hint},"), torch.no_grad():
        outputs: object = module.to(CPU, torch.float32).eval()(inputs)
    if not isinstance(outputs, Tensor):
        raise refused(f"its module returned a {type(outputs).__name__}; return a tensor [example, output]")
    wanted = [len(inputs), splits.classes]
    if list(outputs.shape) != wanted:
        message = f"its module returned outputs {list(outputs.shape)} for {given}, and not {wanted}"
        raise refused(f"{message}; the labels need {splits.classes} for each example")
    if not outputs.isfinite().all():
        raise refused(f"its module, given {given}, returned outputs that are not finite, before it was trained")


def _try_step(model: Model | Architecture, splits: Splits, loss: Loss) -> None:
    inputs, labels = splits.train.inputs[:EXAMPLES], splits.train.labels[:EXAMPLES]
    with torch.inference_mode():
        network = networks_for(model, splits, Computation(), lanes=1, batch_size=len(inputs), device=CPU, loss=loss).now
    with torch.no_grad() if network.autograd else torch.inference_mode():
        row = network.initialise(torch.Generator().manual_seed(0)).unsqueeze(0)
        _check_outputs(network, row, inputs, outputs=splits.classes)
        network.add_gradient(row, inputs.unsqueeze(0), labels.unsqueeze(0), torch.zeros_like(row))


def _check_outputs(network: Network, row: Tensor, inputs: Tensor, *, outputs: int) -> None:
    found, wanted = list(network.logits(row, inputs).shape), [1, len(inputs), outputs]
    if found != wanted:
        raise refused(f"its method logits returned outputs {found}, and not {wanted}: lanes, examples, outputs")
