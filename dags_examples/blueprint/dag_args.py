"""Lets the YAML files of this folder say `watch`, `tags` and more about their DAGs; the loader finds it by itself."""

from __future__ import annotations

from blueprint import BlueprintDagArgs

from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs, LearningDagArgsConfig


class DagArgs(LearningDagArgs, BlueprintDagArgs[LearningDagArgsConfig]):
    """What a YAML file of this folder may say about its DAG."""
