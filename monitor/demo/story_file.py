"""Reads `monitor/demo/stories/<service>.yaml`: AWS's answers for a service, and the demand on its resources.

```yaml
service: dynamodb
regions:                                        # each region of the demo that is not denied
  eu-west-1:
    quotas: {L-F98FE922: 5000}                  # applied values, where they are not the defaults
    answers:                                    # as in tests/collectors: a response, pages of it, or an error
      dynamodb.ListTables: {TableNames: [orders]}
      dynamodb.DescribeTable(orders): {...}     # for calls with a parameter of this value
      elbv2.DescribeRules(arn:...):
        Rules: [{$repeat: 80, Priority: "{number}"}]  # 80 items; {number} counts them
      dynamodb.DescribeLimits: AccessDenied
    stories:                                    # by signal and name of the resource: the fields of `Traffic`
      table_read_capacity orders: {mean: 0.55, wave: 0.05}
```

A story is the demand as a share of the limit, or in the signal's unit if no limit is known. Demand above the
limit is throttled, if the signal counts throttled demand. A metric of several series follows the first of
their stories. Series without a story have quiet traffic.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from monitor.demo.answers import AnswerKey, check_answer, parse_key
from monitor.demo.traffic import Traffic
from monitor.lib.errors import HeadroomError
from rules.model_file import FileProblem, ModelFile, parse_model
from rules.strict_yaml import DocumentPath

STORY_FOLDER = Path(__file__).parent / "stories"


class StoryError(HeadroomError):
    """Stories cannot be used. problems: one line each, with file and line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class RegionStories(BaseModel, frozen=True, extra="forbid"):
    """The stories of a service in a region, as in the file."""

    quotas: Mapping[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = {}
    answers: Mapping[str, Any]
    stories: Mapping[str, Traffic] = {}

    def answers_by_call(self) -> dict[AnswerKey, Any]:
        """Return the answers by their calls."""
        return {parse_key(text): answer for text, answer in self.answers.items()}


class ServiceStories(BaseModel, frozen=True, extra="forbid"):
    """The stories of a service, as in the file."""

    service: Annotated[str, Field(min_length=1)]
    regions: Mapping[str, RegionStories]


@dataclass(frozen=True, slots=True)
class StoryFile:
    """A valid file of stories. source: the YAML, with the line of each place."""

    source: ModelFile[ServiceStories]
    stories: ServiceStories

    @property
    def name(self) -> str:
        """The name of the file, as shown in problems."""
        return self.source.name

    def problem_at(self, where: DocumentPath, sentence: str) -> str:
        """Return a problem at a place of the file as one line."""
        return self.source.problem_at(where, sentence)


def read_story_files(folder: Path) -> list[StoryFile]:
    """Read all files of stories in a folder. Raises StoryError with the problems of all files."""
    files, problems = [], list[str]()
    for path in sorted(folder.glob("*.yaml")):
        try:
            files.append(parse_stories(path.read_bytes(), path.name))
        except StoryError as error:
            problems += error.problems
    if problems:
        raise StoryError(problems)
    return files


def parse_stories(content: bytes, name: str) -> StoryFile:
    """Parse a file of stories; `name` is the file's name in problems. Raises StoryError with all problems."""
    source = parse_model(content, name, ServiceStories, _answer_problems)
    if source.model is None:
        raise StoryError(source.problems)
    return StoryFile(source, source.model)


def _answer_problems(stories: ServiceStories) -> Iterator[FileProblem]:
    for region, region_stories in stories.regions.items():
        for text, answer in region_stories.answers.items():
            try:
                check_answer(parse_key(text), answer)
            except ValueError as error:
                yield ("regions", region, "answers", text), str(error)
