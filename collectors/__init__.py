"""What is: usage and limits of AWS resources, one file per AWS service. This is the table of contents."""

from collectors import kinesis

COLLECTORS = (kinesis.COLLECTOR,)
