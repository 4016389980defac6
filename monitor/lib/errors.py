"""The hierarchy of all exceptions that Headroom defines.

HeadroomError
├── AccessDeniedError                a request is not allowed (access)
├── ApiError                         a request to a running Headroom failed (api)
│   ├── ApiStatusError               it was answered with an error status
│   └── ApiTransportError            it was not answered, or not by Headroom
├── AwsResponseError                 an error response of the demo's AWS (demo)
│   └── MissingAnswerError           the stories have no answer to a call (demo)
├── ByteBudgetExceededError          too many bytes are being received at once (stream)
├── ConfigError                      the configuration cannot be used (schema)
├── CorruptFileError                 a journal's file is corrupt (alerting; an sqlite3.DatabaseError)
├── CursorError                      a cursor does not belong to this query (fleet; a ValueError)
├── CycleError                       kinds of resources need each other (collectors; a ValueError)
├── DeclarationError                 a declared service cannot be used (collectors; a ValueError)
├── DecodeBudgetExceededError        a delivery is too expensive to decode (stream)
├── EnvelopeError                    a delivery of Firehose is malformed (stream)
├── ExpressionError                  an expression is not understood, or its values do not fit (collectors)
│   └── MissingValueError            a template names a fact that AWS did not return (collectors)
├── FileKindError                    a path is no regular file, or has hard links (lib; an OSError)
├── FilterError                      a filter of `headroom top` is wrong (top; a ValueError)
├── InvalidInputError                an author, comment or time is not accepted (schema; a ValueError)
├── InversionError                   a usage follows from no values of metrics (demo)
├── InvalidRequestError              CloudWatch rejects a request for its content (polling)
├── JournalError                     the journal cannot be used (alerting)
├── MatcherError                     a matcher cannot be parsed (alerting; a ValueError)
├── MissingRegionError               no region is configured (aws; a botocore.exceptions.BotoCoreError)
├── NewerSchemaError                 a journal was written by a newer version (alerting)
├── NoStreamedMetricsError           no metric of the chosen services can be streamed (stream)
├── NotFiringError                   an alert does not fire (alerting; a LookupError)
├── PathError                        a path yields nothing of any response (collectors; a ValueError)
├── PrivateAddressError              an address is not public (outbound; an OSError)
├── ProtobufError                    bytes are no valid protobuf message (stream; a ValueError)
├── PushQueueError                   the push queue cannot be used (push)
├── QueueFullError                   too many passwords wait to be checked (access)
├── QuotaCallError                   a call to Service Quotas failed (quotas)
├── RegionDisabledError              a region is not enabled in an account (aws; a BotoCoreError)
├── RequestError                     `headroom top` got no usable answer (top)
├── RequestRefusedError              a request for an increase makes no sense now (quotas)
├── RequestRejectedError             a delivery is answered with an error status (stream)
├── ResourceNotFoundError            AWS knows no such resource (collectors; a botocore ClientError)
├── RoleNeededError                  a call cannot be made without a role in the account (aws)
├── ServiceNotOfferedError           AWS does not offer a service in a region (collectors; a BotoCoreError)
├── StoryError                       stories of the demo cannot be used (demo)
├── TooManyAccountsError             an organization has too many accounts or units (aws)
├── TooManyMetricsError              a namespace has more metrics than are listed (collectors)
├── TooManyNamesError                a delivery has too many new metric names (stream)
├── TooManyParentsError              a count needs too many calls (collectors)
└── UnknownQuotaError                no quota, account or resource has this name (quotas; a LookupError)
"""


class HeadroomError(Exception):
    """The base class of all exceptions that Headroom defines."""
