from blueprint import BlueprintDagArgs

from airflow_provider_learning360.dag_yaml.arguments import LearningDagArgs, LearningDagArgsConfig


class DagArgs(LearningDagArgs, BlueprintDagArgs[LearningDagArgsConfig]):
    """What the YAML files of this folder may say about their DAGs."""
