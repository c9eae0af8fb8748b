"""Validates one manifest: custom resources against custom.yaml, others against the schema of Kubernetes."""

from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

# libyaml is ten times faster.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CUSTOM = yaml.safe_load(Path(__file__).with_name("custom.yaml").read_text())


def schema(shape):
    """JSON Schema of a shape in custom.yaml."""
    if shape == "any":
        return {}
    if shape == "quantity":
        return {"type": ["string", "number"]}
    if isinstance(shape, str):
        return {"type": shape}
    if isinstance(shape, list):
        return {"type": "array", "items": schema(shape[0])}
    if "*" in shape:
        return {"type": "object", "additionalProperties": schema(shape["*"])}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key[:-1] for key in shape if key.endswith("!")],
        "properties": {key.rstrip("!"): schema(value) for key, value in shape.items()},
    }


def validity(manifest, version):
    """Violations of the Kubernetes schema or of custom.yaml."""
    shape = CUSTOM.get(f"{manifest['kind']} {manifest['apiVersion']}")
    if shape is not None:
        validator = jsonschema.Draft202012Validator(schema(shape))
        for error in validator.iter_errors(manifest["spec"]):
            yield f"spec.{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for key in manifest.keys() - {"apiVersion", "kind", "metadata", "spec"}:
            yield f"{key}: unknown"
        return
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    except (kubernetes_validate.InvalidSchemaError, kubernetes_validate.SchemaNotFoundError) as error:
        yield f"is in neither Kubernetes {version} nor custom.yaml: {error}"
