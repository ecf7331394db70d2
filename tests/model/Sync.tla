------------------------------------------------ MODULE Sync ------------------------------------------------
(* How one organisation's approved reimbursements reach its ERP exactly once, whatever fails.
   The words are those of the design; each action names the code that does it. README.md: how to read this.

   Time. There is no clock. What takes time is a step of its own that may come at any moment its guard allows, so
   every speed of every part is covered: a stalled process is one that makes no step while others do. Two facts
   about time are assumed, and a quarantine is what turns them into knowledge:
     - a request that left is applied or lost within one quarantine (the ERP's longest request life);
     - a document is visible to look-ups within one quarantine after it was applied.
   `old` marks what began before the item's quarantine did. A quarantine can end only when nothing `old` is left.

   Faults. There are at most `Faults` of them and `Toggles` toggles, and the world may calm down at any moment (Calm).
   Everything else makes progress, so no run is endless; a run that ends where an item is not final is a deadlock
   for TLC, and that is what "stranded" means. *)
EXTENDS Naturals, FiniteSets, TLC

CONSTANTS
    Dispatchers, Items,  \* worker processes (lanes.LaneKeeper + drain.Drain); reimbursements of the one organisation
    MaxAttempts, Faults, Toggles,  \* bounds of the exploration
    Mappings,            \* 1, or 2: somebody may change the mapping once, and what is sent from then on differs
    RefusesDuplicates,   \* the ERP refuses the same document a second time (Business Central), or not (Xledger)
    LookUpsLag,          \* the ERP's look-up sees a document only after a while, or at once
    \* The mechanisms. All TRUE, and LookUps = 2, is what is shipped; each is taken away in turn.
    FlagReread,          \* the claim reads the flag under its lock; else the one seen when the lane was taken decides
    TwoPhaseOff,         \* "off" is said when nothing is `sending`; else at once
    Permit,              \* the lease is asked at the moment of sending
    LeaseInClaim,        \* the claim asks for the lane's lease
    Fence,               \* only the current attempt settles an item
    Quarantine,          \* an unknown outcome waits out the longest life of a request
    LookUps,             \* how many look-ups must find nothing before an item is sent again: 0, 1, 2
    AdapterLooks,        \* above attempt 1 the adapter looks before it sends, and after "already exists"
    CountedAbsence,      \* an absence is recorded only by the look-up whose turn it was
    SameAgain,           \* where resending is the look-up, only the same request is resent (request_hash)
    KeepsDoubt           \* "not sent" or "rejected" speaks of its own attempt: while an earlier one is unknown, so is the item

VARIABLES
    phase,      \* of the connector: "on", "switching_off", "off" (off is acknowledged)
    holder,     \* who leases the lane; Free: the lease has ended or was given back
    item,       \* the item's row in PostgreSQL; `as`: the mapping it was last sent with (request_hash); `doubt`: an attempt
                \* before the current one may still be applied
    request,    \* request[i][n]: what became of the bytes of attempt n, at the ERP
    hand,       \* what a dispatcher is doing now; lost when it crashes
    seen,       \* what the dispatcher saw of the connector when it took the lane; only broken variants rely on it
    faults, toggles,  \* how many are still to come
    mapping,    \* its version
    late        \* history: a request left while the connector was off

vars == <<phase, holder, item, request, hand, seen, faults, toggles, mapping, late>>

Free == "free"
Attempts == 1..MaxAttempts
Idle == [step |-> "idle"]
Symmetry == Permutations(Dispatchers) \union Permutations(Items)

Init ==
    /\ phase = "off"
    /\ holder = Free
    /\ item = [i \in Items |-> [state |-> "absent", attempt |-> 0, quarantined |-> FALSE, absences |-> 0,
                              as |-> 0, doubt |-> FALSE]]
    /\ request = [i \in Items |-> [n \in Attempts |-> [at |-> "nowhere", old |-> FALSE, as |-> 0]]]
    /\ hand = [d \in Dispatchers |-> Idle]
    /\ seen = [d \in Dispatchers |-> "nothing"]
    /\ faults = Faults
    /\ toggles = Toggles
    /\ mapping = 1
    /\ late = FALSE

IsDocument(r) == r.at \in {"applied", "visible"}
Documents(i) == Cardinality({n \in Attempts : IsDocument(request[i][n])})
LookUpFinds(i) == \E n \in Attempts : request[i][n].at = "visible"
Sending == {i \in Items : item[i].state = "sending"}

--------------------------------------------- (* Approvals and toggles *) ---------------------------------------------

Approve(i) ==  \* batch.store_batch, store.intake.accept
    /\ item[i].state = "absent"
    /\ item' = [item EXCEPT ![i].state = "pending"]
    /\ UNCHANGED <<phase, holder, request, hand, seen, faults, toggles, mapping, late>>

SwitchOn ==  \* toggles.apply_toggle, _switch_on
    /\ toggles > 0 /\ phase # "on"
    /\ phase' = "on"
    /\ toggles' = toggles - 1
    /\ UNCHANGED <<holder, item, request, hand, seen, faults, mapping, late>>

SwitchOff ==  \* toggles.apply_toggle, _switch_off: the exclusive lock on the connector's row makes it one step with Claim
    /\ toggles > 0 /\ phase = "on"
    /\ phase' = IF TwoPhaseOff /\ Sending # {} THEN "switching_off" ELSE "off"
    /\ toggles' = toggles - 1
    /\ UNCHANGED <<holder, item, request, hand, seen, faults, mapping, late>>

Acknowledge ==  \* toggles.finish_switching_off, connectors.quiesce
    /\ phase = "switching_off" /\ Sending = {}
    /\ phase' = "off"
    /\ UNCHANGED <<holder, item, request, hand, seen, faults, toggles, mapping, late>>

------------------------------------------------- (* Becoming unknown *) -------------------------------------------------

Unsure(row) == [row EXCEPT !.state = "unknown", !.quarantined = Quarantine, !.absences = 0]

Aged(rs) ==  \* from here a quarantine runs: what is under way now will have come to its end when it is over
    [n \in Attempts |-> [rs[n] EXCEPT !.old = Quarantine /\ rs[n].at \in {"on_its_way", "applied"}]]

QuarantineEnds(i) ==  \* item.quarantined_until has passed
    /\ item[i].quarantined
    /\ \A n \in Attempts : ~request[i][n].old
    /\ item' = [item EXCEPT ![i].quarantined = FALSE]
    /\ UNCHANGED <<phase, holder, request, hand, seen, faults, toggles, mapping, late>>

---------------------------------------------------- (* The lane *) ----------------------------------------------------

Take(d) ==  \* lanes.LaneKeeper.take: a new fence; what the last holder left `sending` is `unknown` (abandon_sending)
    /\ holder = Free
    /\ \/ Sending # {}  \* lease_lanes asks for something to do
       \/ phase = "on" /\ \E i \in Items : item[i].state \in {"pending", "unknown"}
    /\ holder' = d
    /\ item' = [i \in Items |-> IF i \in Sending THEN Unsure(item[i]) ELSE item[i]]
    /\ request' = [i \in Items |-> IF i \in Sending THEN Aged(request[i]) ELSE request[i]]
    /\ seen' = [seen EXCEPT ![d] = IF FlagReread /\ LeaseInClaim THEN @ ELSE phase]
    /\ UNCHANGED <<phase, hand, faults, toggles, mapping, late>>

LeaseEnds(d) ==  \* fault: the dispatcher stalls beyond its lease, and wakes up later as a zombie with what it has in hand.
                 \* The permit ends at 80 % of the lease; letting it last to the end allows more than the code does.
    /\ faults > 0 /\ holder = d
    /\ holder' = Free
    /\ hand' = [hand EXCEPT ![d] = IF "permit" \in DOMAIN @ THEN [@ EXCEPT !.permit = FALSE] ELSE @]
    /\ faults' = faults - 1
    /\ UNCHANGED <<phase, item, request, seen, toggles, mapping, late>>

Crash(d) ==  \* fault: kill -9; the lane is free when the lease has ended, and another process starts in its place
    /\ faults > 0 /\ (holder = d \/ hand[d] # Idle)
    /\ hand' = [hand EXCEPT ![d] = Idle]
    /\ holder' = IF holder = d THEN Free ELSE holder
    /\ faults' = faults - 1
    /\ UNCHANGED <<phase, item, request, seen, toggles, mapping, late>>

------------------------------------------- (* Claim, send, settle: one attempt *) -------------------------------------------

\* Where the ERP refuses duplicates, resending is the look-up: unknown -> pending -> sending in one transaction, after
\* a back-off that grows with the attempt. When few attempts are left, it is longer than a quarantine.
MayResend(i) ==
    /\ RefusesDuplicates
    /\ item[i].as = mapping \/ ~SameAgain
    /\ ~item[i].quarantined \/ item[i].attempt + 2 * (faults + 1) <= MaxAttempts

Claim(d, i) ==  \* claiming.claim: one transaction, committed before the first byte leaves
    /\ hand[d] = Idle
    /\ holder = d \/ (~LeaseInClaim /\ seen[d] # "nothing")
    /\ (IF FlagReread THEN phase ELSE seen[d]) = "on"
    /\ item[i].attempt < MaxAttempts
    /\ \/ item[i].state = "pending"
       \/ item[i].state = "unknown" /\ MayResend(i)
    /\ item' = [item EXCEPT ![i].state = "sending", ![i].attempt = @ + 1, ![i].as = mapping,
                            ![i].doubt = KeepsDoubt /\ item[i].state = "unknown",
                            ![i].quarantined = @ /\ KeepsDoubt]
    /\ hand' = [hand EXCEPT ![d] = [step |-> IF AdapterLooks /\ item[i].attempt > 0 THEN "to_look" ELSE "to_send",
                                    item |-> i, attempt |-> item[i].attempt + 1, permit |-> holder = d, as |-> mapping]]
    /\ UNCHANGED <<phase, holder, request, seen, faults, toggles, mapping, late>>

At(d, step) == hand[d].step = step
Goes(d, step) == hand' = [hand EXCEPT ![d].step = step]

LookBefore(d) ==  \* the adapter's _settle_earlier
    /\ At(d, "to_look")
    /\ Goes(d, IF LookUpFinds(hand[d].item) THEN "posted" ELSE "to_send")
    /\ UNCHANGED <<phase, holder, item, request, seen, faults, toggles, mapping, late>>

Send(d) ==  \* connectors.http: the permit is asked right before the head is handed over. Check and send are one step.
    /\ At(d, "to_send")
    /\ LET i == hand[d].item  n == hand[d].attempt IN
       IF hand[d].permit \/ ~Permit
       THEN /\ request' = [request EXCEPT ![i][n] = [at |-> "on_its_way", old |-> FALSE, as |-> hand[d].as]]
            /\ late' = (late \/ phase = "off")
            /\ Goes(d, "sent")
       ELSE /\ Goes(d, "not_sent")
            /\ UNCHANGED <<request, late>>
    /\ UNCHANGED <<phase, holder, item, seen, faults, toggles, mapping>>

Unreachable(d) ==  \* fault: no connection, 429, 503: certainly not processed
    /\ faults > 0 /\ At(d, "to_send")
    /\ Goes(d, "not_sent")
    /\ faults' = faults - 1
    /\ UNCHANGED <<phase, holder, item, request, seen, toggles, mapping, late>>

Answer(d) ==  \* the ERP's reply arrives
    /\ At(d, "sent")
    /\ LET r == request[hand[d].item][hand[d].attempt] IN
       \/ IsDocument(r) /\ Goes(d, "posted")
       \/ r.at = "refused" /\ Goes(d, IF AdapterLooks /\ LookUpFinds(hand[d].item) THEN "posted" ELSE "rejected")
    /\ UNCHANGED <<phase, holder, item, request, seen, faults, toggles, mapping, late>>

LoseAnswer(d) ==  \* fault: time-out, reset, 500, unreadable: the request may have been, or may yet be applied
    /\ faults > 0 /\ At(d, "sent")
    /\ Goes(d, "no_answer")
    /\ faults' = faults - 1
    /\ UNCHANGED <<phase, holder, item, request, seen, toggles, mapping, late>>

Settle(d) ==  \* settler.settle: `WHERE attempt = n AND state = 'sending'`; what comes late settles an item that is `unknown`
    /\ hand[d].step \in {"posted", "not_sent", "rejected", "no_answer"}
    /\ LET i == hand[d].item
           isCurrent == hand[d].attempt = item[i].attempt /\ item[i].state = "sending"
           isLate == hand[d].attempt = item[i].attempt /\ item[i].state = "unknown" /\ hand[d].step \in {"posted", "not_sent"}
       IN IF isCurrent \/ isLate \/ ~Fence
          THEN CASE At(d, "posted") ->
                        item' = [item EXCEPT ![i].state = "synced"] /\ UNCHANGED request
                 [] At(d, "not_sent") ->
                        item' = [item EXCEPT ![i].state = IF item[i].doubt THEN "unknown" ELSE "pending"] /\ UNCHANGED request
                 [] At(d, "rejected") /\ ~item[i].doubt ->
                        item' = [item EXCEPT ![i].state = "rejected"] /\ UNCHANGED request
                 [] OTHER ->
                        /\ item' = [item EXCEPT ![i] = Unsure(@)]
                        /\ request' = [request EXCEPT ![i] = Aged(@)]
          ELSE UNCHANGED <<item, request>>  \* kept as `late` evidence
    /\ hand' = [hand EXCEPT ![d] = Idle]
    /\ UNCHANGED <<phase, holder, seen, faults, toggles, mapping, late>>

----------------------------------------------------- (* The ERP *) -----------------------------------------------------

\* "The same" is the same vendor and number, in Business Central: another mapping may name another vendor.
HasTheSame(i, n) ==
    RefusesDuplicates /\ \E m \in Attempts : IsDocument(request[i][m]) /\ request[i][m].as = request[i][n].as

Apply(i, n) ==  \* at any time after the bytes left, also long after the dispatcher gave up (late apply)
    /\ request[i][n].at = "on_its_way"
    /\ LET becomes == CASE HasTheSame(i, n) -> "refused"
                        [] LookUpsLag -> "applied"
                        [] OTHER -> "visible"
       IN request' = [request EXCEPT ![i][n].at = becomes, ![i][n].old = FALSE]
    /\ UNCHANGED <<phase, holder, item, hand, seen, faults, toggles, mapping, late>>

Lose(i, n) ==  \* never applied. While somebody waits, LoseAnswer comes first
    /\ request[i][n].at = "on_its_way"
    /\ \A d \in Dispatchers : ~(At(d, "sent") /\ hand[d].item = i /\ hand[d].attempt = n)
    /\ request' = [request EXCEPT ![i][n].at = "lost", ![i][n].old = FALSE]
    /\ UNCHANGED <<phase, holder, item, hand, seen, faults, toggles, mapping, late>>

Show(i, n) ==  \* the document becomes visible to look-ups
    /\ request[i][n].at = "applied"
    /\ request' = [request EXCEPT ![i][n].at = "visible", ![i][n].old = FALSE]
    /\ UNCHANGED <<phase, holder, item, hand, seen, faults, toggles, mapping, late>>

------------------------------------------------ (* Unknown, resolved *) ------------------------------------------------

LookUp(d, i) ==  \* reconcile: by the lane's holder, while the connector is on, when the quarantine is over
    /\ LookUps > 0
    /\ RefusesDuplicates => item[i].as # mapping  \* items.look_up_instead: what would be sent is not what was sent
    /\ hand[d] = Idle /\ holder = d /\ phase = "on"
    /\ item[i].state = "unknown" /\ ~item[i].quarantined
    /\ hand' = [hand EXCEPT ![d] = [step |-> IF LookUpFinds(i) THEN "found" ELSE "found_nothing",
                                    item |-> i, attempt |-> item[i].attempt, absences |-> item[i].absences]]
    /\ UNCHANGED <<phase, holder, item, request, seen, faults, toggles, mapping, late>>

Record(d) ==  \* reconcile: what a look-up found is written down; the dispatcher may have stalled in between
    /\ hand[d].step \in {"found", "found_nothing"}
    /\ LET i == hand[d].item
           isCurrent == item[i].state = "unknown" /\ item[i].attempt = hand[d].attempt
           isItsTurn == ~CountedAbsence \/ item[i].absences = hand[d].absences
       IN CASE isCurrent /\ At(d, "found") ->
                    item' = [item EXCEPT ![i].state = "synced"] /\ UNCHANGED request
            [] isCurrent /\ At(d, "found_nothing") /\ isItsTurn ->
                    IF item[i].absences + 1 < LookUps
                    THEN /\ item' = [item EXCEPT ![i].absences = @ + 1, ![i].quarantined = Quarantine]
                         /\ request' = [request EXCEPT ![i] = Aged(@)]
                    ELSE item' = [item EXCEPT ![i].state = "pending", ![i].quarantined = FALSE, ![i].doubt = FALSE]
                         /\ UNCHANGED request
            [] OTHER -> UNCHANGED <<item, request>>
    /\ hand' = [hand EXCEPT ![d] = Idle]
    /\ UNCHANGED <<phase, holder, seen, faults, toggles, mapping, late>>

SendBlindly(d, i) ==  \* only where look-ups are taken away
    /\ LookUps = 0 /\ ~RefusesDuplicates
    /\ holder = d /\ hand[d] = Idle /\ phase = "on"
    /\ item[i].state = "unknown" /\ ~item[i].quarantined
    /\ item' = [item EXCEPT ![i].state = "pending"]
    /\ UNCHANGED <<phase, holder, request, hand, seen, faults, toggles, mapping, late>>

--------------------------------------------- (* Everything together *) ---------------------------------------------

ChangeMapping ==  \* setup: a new version of the configuration
    /\ mapping < Mappings
    /\ mapping' = mapping + 1
    /\ UNCHANGED <<phase, holder, item, request, hand, seen, faults, toggles, late>>

Calm ==  \* the last fault and the last toggle are over
    /\ faults + toggles > 0
    /\ faults' = 0 /\ toggles' = 0
    /\ UNCHANGED <<phase, holder, item, request, hand, seen, mapping, late>>

Final ==
    /\ \A i \in Items : item[i].state \in IF phase = "on" THEN {"synced"} ELSE {"pending", "unknown", "synced"}
    /\ phase # "switching_off"

Ended == Final /\ UNCHANGED vars  \* else TLC would call every end a deadlock

Step ==
    \/ SwitchOn \/ SwitchOff \/ Acknowledge \/ ChangeMapping \/ Calm
    \/ \E i \in Items : Approve(i) \/ QuarantineEnds(i) \/ \E n \in Attempts : Apply(i, n) \/ Lose(i, n) \/ Show(i, n)
    \/ \E d \in Dispatchers :
        \/ Take(d) \/ LeaseEnds(d) \/ Crash(d)
        \/ LookBefore(d) \/ Send(d) \/ Unreachable(d) \/ Answer(d) \/ LoseAnswer(d) \/ Settle(d) \/ Record(d)
        \/ \E i \in Items : Claim(d, i) \/ LookUp(d, i) \/ SendBlindly(d, i)

Next == Step \/ Ended
Spec == Init /\ [][Next]_vars
LiveSpec == Init /\ [][Step]_vars /\ WF_vars(Step)

------------------------------------------------- (* What must hold *) -------------------------------------------------

NoDouble == \A i \in Items : Documents(i) <= 1

NoLate == ~late

SyncedHasItsDocument == \A i \in Items : item[i].state = "synced" => Documents(i) = 1

\* A request that left before "off" was said may be applied after it. Then the acknowledgement counted its item.
OffSaysWhatIsUnsure ==
    phase = "off" => \A i \in Items : \A n \in Attempts :
        request[i][n].at = "on_its_way" /\ ~HasTheSame(i, n) => item[i].state = "unknown"

\* From `sending` an item is moved by its own attempt or by whoever takes the lane; what is synced stays so.
OwnAttempt(i) == \E d \in Dispatchers :
    hand[d] # Idle /\ hand'[d] = Idle /\ hand[d].item = i /\ hand[d].attempt = item[i].attempt
SettledByItsOwnAttempt == [][\A i \in Items : item'[i].state # item[i].state =>
    /\ item[i].state = "sending" => holder' # holder \/ OwnAttempt(i)
    /\ item[i].state # "synced"]_vars

\* With the weakest fairness there is (something goes on happening while something can), every run comes to its end.
EverythingBecomesFinal == <>[]Final

=====================================================================================================================
