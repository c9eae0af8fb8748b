//! Any edits on three devices, any loss, repetition and delay of messages, any restart: in the end all have the same,
//! and no edit is lost.

mod server;
mod world;

use proptest::prelude::*;
use world::{DEVICES, EditKind, Fate, Step, World};

fn edit_kind() -> impl Strategy<Value = EditKind> {
    use EditKind::*;
    prop_oneof![
        4 => Just(Create),
        2 => Just(CreateBeneath),
        2 => Just(CreateInList),
        6 => Just(Title),
        4 => Just(Estimate),
        2 => Just(DueDay),
        2 => Just(DueDate),
        2 => Just(Tag),
        3 => Just(Complete),
        1 => Just(CompleteAll),
        2 => Just(Reopen),
        2 => Just(Delete),
        2 => Just(MoveToList),
        1 => Just(MoveBeside),
        2 => Just(CreateList),
        1 => Just(RenameList),
        1 => Just(DeleteList),
        1 => Just(EmptyList),
        1 => Just(RenameTag),
        1 => Just(DeleteTag),
        3 => Just(Undo),
        2 => Just(Redo),
        1 => Just(AnswerNotice),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        12 => Just(Fate::Answered),
        2 => Just(Fate::Lost),
        3 => Just(Fate::AnswerLost),
        1 => Just(Fate::Twice),
        2 => Just(Fate::Late),
        1 => Just(Fate::Unavailable),
        1 => Just(Fate::Failing),
        1 => Just(Fate::Unauthenticated),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..DEVICES;
    prop_oneof![
        8 => (device.clone(), edit_kind(), 0..1_000_usize)
            .prop_map(|(device, kind, pick)| Step::Edit { device, kind, pick }),
        12 => (device.clone(), fate()).prop_map(|(device, fate)| Step::Network { device, fate }),
        1 => (0..10_usize).prop_map(|pick| Step::Late { pick }),
        4 => (device.clone(), 1..4_usize)
            .prop_map(|(device, count)| Step::Frames { device, count }),
        1 => (device.clone(), prop_oneof![Just(1001), Just(1006), Just(4401), Just(4410)])
            .prop_map(|(device, code)| Step::Cut { device, code }),
        1 => device.clone().prop_map(|device| Step::Restart { device }),
        1 => (device, any::<bool>())
            .prop_map(|(device, is_online)| Step::Online { device, is_online }),
        2 => (1..40_i64).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn devices_agree_and_no_edit_is_lost(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.come_to_rest();
        world.check();
    }
}
