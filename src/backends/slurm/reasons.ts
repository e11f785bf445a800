/** Why a job waits, in words, and whether it can ever start. */
export interface Reason {
  readonly why: string;
  readonly canStart: boolean | 'unknown';
}

type KnownReason = readonly [pattern: RegExp, canStart: Reason['canStart'], words: string];

/** The first that fits counts. Source: squeue(1), JOB REASON CODES, and what Slurm 22.05 was seen to say. */
const REASONS: readonly KnownReason[] = [
  [/^(None|)$/, true, 'the scheduler has not looked at it yet'],
  [/^Priority$/, true, 'others are before it in the queue'],
  [/^Resources$/, true, 'the nodes that it asks for are busy'],
  [/^BeginTime$/, true, 'its time to begin has not come'],
  [/^(Dependency|JobArrayTaskLimit|Licenses|Cleaning|Prolog|FedJobLock)$/, true, 'other jobs have to end before'],
  [/^Reservation$/, true, 'its reservation has not begun'],
  [/^DependencyNeverSatisfied$/, false, 'what it depends on has failed'],
  [/^PartitionConfig$/, false, 'the partition has no nodes like those that it asks for'],
  [/^BadConstraints$/, false, 'no node has the features or the resources that it asks for'],
  [/^PartitionNodeLimit$/, false, 'it asks for more nodes than the partition allows, or they are down'],
  [/^PartitionTimeLimit$/, false, 'it asks for more time than the partition allows'],
  [/^(InvalidAccount|AccountNotAllowed)$/, false, 'the account is unknown, or may not use the partition'],
  [/^(InvalidQOS|QOSNotAllowed)$/, false, 'the QOS is unknown, or may not be used with the account or the partition'],
  [/^(MaxMemPerLimit|NodeResourceLimit)$/, false, 'it asks for more memory than a job may have'],
  [/^(Assoc|QOS)Max\w*PerJob/, false, 'it asks for more than one job may have'],
  [/^QOS(Min\w*|UsageThreshold)$/, false, 'it asks for less than the QOS wants of a job'],
  [/^(Assoc|QOS)(Grp|Max)\w*Minutes/, 'unknown', 'the budget of the account or the QOS is used up'],
  [/^(Assoc|QOS)(Grp|Max)\w*WallDuration/, 'unknown', 'it asks for more time than the account or the QOS allows'],
  [/^(Assoc|QOS)(Grp|Max|Job|Resource|Time)\w*$/, true, 'other jobs use what the account or the QOS allows at once'],
  [/^ReqNodeNotAvail/, true, 'nodes that it asks for are down, drained or reserved'],
  [/^(Nodes required for job are DOWN|NodeDown|FrontEndDown)/, 'unknown', 'nodes that it asks for are down, drained or reserved'],
  [/^(PartitionDown|PartitionInactive)$/, 'unknown', 'the partition takes no jobs now'],
  [/^(JobHeldUser|JobHeldAdmin)$/, 'unknown', 'somebody holds it: scontrol release lets it go'],
  [/^(JobHoldMaxRequeue|launch failed requeued held|JobLaunchFailure)/, 'unknown', 'its start failed, and Slurm holds it'],
];

/** What squeue says of a job that waits, in words; a reason that is not known is handed on as it is. */
export function reasonInWords(reason: string): Reason {
  const found = REASONS.find(([pattern]) => pattern.test(reason));
  if (found === undefined) return { why: reason, canStart: 'unknown' };
  const [, canStart, words] = found;
  return { why: reason === '' || reason === 'None' ? words : `${words} (${reason})`, canStart };
}
