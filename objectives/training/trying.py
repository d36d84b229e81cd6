"""Tries a model, a loss and metrics on a few examples, before anything is trained: what is wrong is said in a line."""

import torch
from torch import Tensor, nn

from objectives.data import Splits
from objectives.data.entry.refusals import placed, refused
from objectives.losses import Loss, Targets
from objectives.metrics import Metric
from objectives.models import Architecture, Model, Network, layout_of
from objectives.models.factors import Factored, no_factors
from objectives.optimizers import Fisher
from objectives.training.criteria import Criteria
from objectives.training.inputs.examples import Examples
from objectives.training.measuring.whole import value
from objectives.training.networks.network import Computation, networks_for
from tuner.errors import ContractError
from tuner.tracebacks import users_code

CPU = torch.device("cpu")
EXAMPLES = 2
"""Examples of the model's trial: batch norm needs more than one."""
MANY = 4096
"""Labels of validation examples in the others' trial, at most: some metrics need all classes."""


def try_out(splits: Splits, model: Model | Architecture, criteria: Criteria, *, fisher: Fisher | None = None) -> None:
    """Try all three on the CPU. The loss and the metrics are given random outputs, and the model does a step.

    Args:
        splits: The data.
        model: What is trained.
        criteria: What is minimised and measured.
        fisher: Of which labels the optimizer needs factors, if any.

    Raises:
        ConfigError: They raised an error, or returned what they must not.
    """
    with torch.random.fork_rng(devices=[]):
        targets = splits.validation.labels[: max(1, MANY // splits.validation.labels[0].numel())]
        outputs = torch.randn(_outputs_of(targets, splits.classes), generator=torch.Generator().manual_seed(0))
        _try_loss(criteria.loss, outputs, targets)
        for index, metric in enumerate(criteria.metrics):
            with placed(f"metrics.{index}", metric.name):
                _try_metric(metric, outputs, targets)
        owner = type(model).__name__
        with placed("model", owner):
            examples = Examples(splits.train, splits, device=CPU, dtype=torch.float32)
            inputs, labels = examples.inputs(slice(EXAMPLES)), examples.targets(slice(EXAMPLES))
            if isinstance(model, Architecture):
                _try_module(model, splits, _extreme(splits, inputs), _outputs_of(labels, splits.classes))
            with users_code(f"{owner}: a step of training on {len(inputs)} examples"):
                _try_step(model, splits, criteria.loss, inputs, labels)
        if fisher is not None:
            network = _network(model, splits, criteria.loss, fisher)  # raises what it says of the optimizer
            with placed("model", owner), users_code(f"{owner}: a step of training that finds its layers' factors"):
                _try_factors(network, inputs, labels)


def _outputs_of(targets: Tensor, classes: int) -> list[int]:
    """The shape of the outputs that targets need."""
    of_each = targets.shape[1:] if not targets.is_floating_point() else []
    return [len(targets), *of_each, classes]


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
    if targets.is_floating_point():
        labels, kinds = "numbers", {Targets.NUMBERS, Targets.SHARES}
    else:
        labels, kinds = ("classes", {Targets.CLASSES}) if targets.ndim == 1 else ("tokens", {Targets.TOKENS})
    if not kinds & metric.targets:
        raise refused(f"it is for {' or '.join(sorted(metric.targets))} as targets, and the labels are {labels}")
    try:
        with users_code(metric.name):
            value(metric, outputs.clone(), targets.clone())
    except ContractError as error:
        raise refused(str(error)) from error


def _try_module(model: Architecture, splits: Splits, inputs: Tensor, wanted: list[int]) -> None:
    inputs = inputs.view(-1, *splits.shape)
    owner = type(model).__name__
    with users_code(f"{owner}.module({splits.shape}, {splits.classes})"):
        module: object = model.module(splits.shape, splits.classes)
    if not isinstance(module, nn.Module):
        raise refused(f"its method module returned a {type(module).__name__}; return a torch.nn.Module")
    given = f"inputs {list(inputs.shape)} of {str(inputs.dtype).removeprefix('torch.')}"
    hint = "" if inputs.is_floating_point() else f" ({_range(inputs)} are for embeddings; give others as float32)"
    with users_code(f"{owner}: its module, given {given}{hint},"), torch.no_grad():
        outputs: object = module.to(CPU, torch.float32).eval()(inputs)
    if not isinstance(outputs, Tensor):
        raise refused(f"its module returned a {type(outputs).__name__}; return a tensor [example, output]")
    if list(outputs.shape) != wanted:
        message = f"its module returned outputs {list(outputs.shape)} for {given}, and not {wanted}"
        raise refused(
            f"{message}; the labels need {splits.classes} for each {'example' if len(wanted) == 2 else 'position'}"
        )
    if not outputs.isfinite().all():
        raise refused(f"its module, given {given}, returned outputs that are not finite, before it was trained")


def _try_step(model: Model | Architecture, splits: Splits, loss: Loss, inputs: Tensor, labels: Tensor) -> None:
    network = _network(model, splits, loss)
    with torch.no_grad() if network.autograd else torch.inference_mode():
        row = network.initialise(torch.Generator().manual_seed(0)).unsqueeze(0)
        _check_outputs(network, row, inputs, [1, *_outputs_of(labels, splits.classes)])
        network.add_gradient(row, inputs.unsqueeze(0), labels.unsqueeze(0), torch.zeros_like(row))


def _try_factors(network: Network, inputs: Tensor, labels: Tensor) -> None:
    assert isinstance(network, Factored)
    with torch.no_grad():
        row = network.initialise(torch.Generator().manual_seed(0)).unsqueeze(0)
        seeds = torch.zeros(1, len(inputs), dtype=torch.int64)
        factors = no_factors(layout_of(network), row)
        network.add_factors(row, inputs.unsqueeze(0), labels.unsqueeze(0), torch.zeros_like(row), factors, seeds=seeds)


def _network(model: Model | Architecture, splits: Splits, loss: Loss, fisher: Fisher | None = None) -> Network:
    """A network for the examples of the trial, on one lane."""
    with torch.inference_mode():
        return networks_for(
            model, splits, Computation(), lanes=1, batch_size=EXAMPLES, device=CPU, loss=loss, fisher=fisher
        ).now


def _check_outputs(network: Network, row: Tensor, inputs: Tensor, wanted: list[int]) -> None:
    found = list(network.logits(row, inputs).shape)
    if found != wanted:
        each = "outputs" if len(wanted) == 3 else "positions, classes"
        raise refused(f"its method logits returned outputs {found}, and not {wanted}: lanes, examples, {each}")


def _extreme(splits: Splits, inputs: Tensor) -> Tensor:
    """The inputs of some examples: those with the largest and the least whole number, or else the ones given.

    An embedding that is too small would end a training on a GPU in a way that nobody understands.
    """
    if inputs.is_floating_point():
        return inputs
    parts = [each.inputs for each in (splits.train, splits.validation, splits.test)]
    largest = max(parts, key=lambda each: int(each.max()))
    least = min(parts, key=lambda each: int(each.min()))
    return torch.stack([largest[largest.amax(1).argmax()], least[least.amin(1).argmin()]])


def _range(inputs: Tensor) -> str:
    return f"inputs of whole numbers, here {int(inputs.min())} to {int(inputs.max())},"
