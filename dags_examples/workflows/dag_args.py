"""Adds `watch`, `tags` and more to what the YAML files of this folder may say about their DAGs. The loader finds this file."""

from __future__ import annotations

from blueprint import BlueprintDagArgs

from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs, LearningDagArgsConfig


class DagArgs(LearningDagArgs, BlueprintDagArgs[LearningDagArgsConfig]):
    """What a YAML file of this folder may say about its DAG."""
