"""Rules taken away one at a time: the simulator must find each within a few seeds.

Those that take hundreds of seeds are in the catalogue, too; they are not looked for here.
"""

import pytest

from core.sim.plan import plan_of
from core.sim.run import simulate
from tests.support.mutations import Mutation, patched
from tests.support.mutations.catalogue import COVERED, MUTATIONS

SEEDS = 40
UNHEARD = {"disabled_unheard", "suppressed_unheard", "edit_not_followed"}
FOUND_BY = {
    "floor_early": {"floor_early"},
    "intent_not_awaited": {"told_before_it_stands", "call_without_intent"},
    "accepted_before_the_write": {
        "accepted_before_it_stands",
        "accepted_lost",
        "told_before_it_stands",
    },
    "row_under_a_new_number": {"floor_early", "segment_missing", "stuck"},
    "by_id_hides_an_end": {"floor_early", "by_id_differs"},
    "events_after_the_row": {"event_lost", "sent_after_end"},
    "views_beside_the_row": {"view_missing"},
    "takeover_without_revoking": {"epoch_order", "floor_early", "stuck", "told_before_it_stands"},
    "no_lease_check": {"epoch_order", "told_without_lease", "unmarked_duplicate"},
    "no_counter": {"told_without_lease", "epoch_order", "stuck"},
    "told_without_the_lease": {"told_without_lease", "told_went_back"},
    "given_up_cas_not_taken_up": {"stuck"},
    "intent_before_first_floor": {"before_first_floor"},
    "last_owner_only": {"floor_early"},
    "effects_not_followed": {"floor_early", "unmarked_duplicate"},
    "handover_given_up_without_epoch": {
        "conflict_hidden",
        "epoch_order",
        "floor_early",
        "told_before_it_stands",
        "unmarked_duplicate",
    },
    "floor_forgets_a_shard": {"floor_early"},
    "takeover_reads_at_local": {"floor_early", "unmarked_duplicate"},
    "takeover_floors_at_local": {"floor_early", "unmarked_duplicate"},
    "takeover_reads_at_one": {"floor_early", "unmarked_duplicate"},
    "registered_at_local": {"stuck"},
    "pending_at_local": {"receipt_lost"},
    "copies_not_looked_up": {
        "too_many_sends",
        "unmarked_duplicate",
        "by_id_differs",
        "told_but_sent",
        "followed_after_cancel",
    },
    "by_id_row_too_late": {"floor_early"},
    "attempt_names_shared": {"receipt_lost", "segment_missing", "unmarked_duplicate"},
    "receipt_acknowledged_before_it_stands": {"receipt_lost"},
    "body_not_fixed": {"conflict_hidden", "two_bodies"},
    "times_of_the_copy_at_hand": {"times_of_another", "chain_broken"},
    "resends_not_counted": {"unmarked_duplicate"},
    "escalated_without_reading": {"escalated_on_evidence"},
    "window_from_the_last_intent": {"unmarked_duplicate", "too_many_sends"},
    "end_told_before_it_stands": {"told_before_it_stands"},
    "cancel_during_a_call": {"told_but_sent", "told_went_back", "told_before_it_stands"},
    "sent_before_its_time": {"sent_early"},
    "suppressions_not_asked": {"sent_suppressed"},
    "turned_away_in_doubt": {"told_but_sent"},
    "outcome_without_segment": {"floor_early", "segment_missing", "receipt_lost"},
    "acknowledged_before_the_look": {"receipt_lost"},
    "newest_map_only": {"sent_under_two_homes"},
    "groups_not_heeded": {"outside_of_group"},
    "group_left_by_its_last": {"group_left", "drained_keeps"},
    "nobody_waits_elsewhere": {"sent_under_two_homes"},
    "nobody_is_asked": {"accepted_unread"},
    "nobody_answers": {"accepted_unread"},
    "freeze_not_heeded": {"taken_up_frozen", "moved_frozen"},
    "freeze_not_awaited": {"taken_up_frozen", "moved_frozen"},
    "all_replicas_at_once": {"several_replicas"},
    "new_replica_left_empty": {"below_quorum", "regions_differ"},
    "content_not_waited_for": {"view_missing"},
    "takeovers_under_way_not_awaited": {"taken_up_frozen"},
    "map_served_before_all_name_it": {"sent_under_two_homes"},
    "late_intent_is_doubt": {"doubt_of_nothing"},
    "late_outcome_without_segment": {"segment_missing", "receipt_lost"},
    "epsilon_zero": {"told_without_lease"},
    "right_counted_from_the_answer": {"told_without_lease"},
    "every_sight_starts_the_wait": {"stuck"},
    "chain_forgotten": {"chain_broken"},
    "canceled_chain_goes_on": {"followed_after_cancel"},
    "chain_stops_at_silence": {"chain_broken"},
    "awaiting_not_looked_after": {"stuck", "chain_broken"},
    "disabled_still_chosen": {"disabled_unheard"},
    "disabled_account_stays_open": {"call_on_disabled"},
    "nobody_waits_for_an_account": {"ended_for_no_account"},
    "condition_not_heeded": {"condition_not_heeded"},
    "written_without_comparing": {"condition_not_heeded"},
    "lost_edit_is_refused": {"refused_written"},
    "feed_skips_a_change": UNHEARD,
    "feed_goes_on_from_the_head": UNHEARD,
    "feed_begins_late": UNHEARD,
    "unread_change_forgotten": UNHEARD,
    "suppressions_looked_up_when_offered": {"suppressed_intended"},
    "suppression_told_before_it_is_known": {"not_in_force"},
    "joined_without_a_pause": {"acted_after_the_join", "epoch_order"},
    "joined_before_the_repair": {"unmarked_duplicate"},
    "owners_by_shard_rows_only": {"by_id_differs", "unmarked_duplicate"},
    "later_by_id_row_hides": {"by_id_differs", "floor_early", "lost"},
    "floors_of_one_region_count": {"by_id_differs", "lost"},
    "pending_not_settled": {"receipt_lost"},
    "intents_of_others_ignored": {"too_many_sends"},
    "two_may_be_alone": {"doubt_of_nothing", "two_alone"},
}


@pytest.mark.parametrize("name", FOUND_BY)
def test_a_rule_taken_away_is_found(name: str) -> None:
    mutation = next(each for each in MUTATIONS if each.name == name)
    assert first_checker(mutation) in FOUND_BY[name]


def first_checker(mutation: Mutation) -> str:
    """Who finds it first; "" if nobody does."""
    with mutation.patch():
        for seed in range(SEEDS):
            result = simulate(plan_of(seed, mutation.profile))
            if not result.ok:
                return result.violations[0].checker
    return ""


def test_names_are_used_once() -> None:
    names = [*(mutation.name for mutation in MUTATIONS), *COVERED]
    assert len(names) == len(set(names))


def test_what_was_patched_is_put_back() -> None:
    class Base:
        inherited = 1

    class Owner(Base):
        own = 2

    with pytest.raises(KeyError), patched((Owner, "own", 3), (Owner, "inherited", 4)):
        assert (Owner.own, Owner.inherited) == (3, 4)
        raise KeyError
    assert vars(Owner)["own"] == 2
    assert "inherited" not in vars(Owner)
