//! Questions before something that is hard to take back, or has several meanings.

use rondo_device::{Edit, Scope};

use crate::command;
use crate::dialog;
use crate::dom::*;
use crate::route::{Place, Route};
use crate::store::store;
use crate::sync;
use crate::text::{Text, t, with};
use crate::toast::{self, Action};

/// An answer: its text, its class, and what it does before the dialog closes.
type Answer = (Text, &'static str, Box<dyn Fn() + Send + Sync>);

fn question(title: String, answers: Vec<Answer>) -> View {
    let buttons = answers.into_iter().map(|(text, class, act)| {
        let act = move |_| {
            dialog::close();
            act();
        };
        view! { <button class=format!("button wide {class}") on:click=act>{t(text)}</button> }
    });
    view! {
        <div class="dialog">
            <h2 id="dialog-title">{title}</h2>
            {buttons.collect::<Vec<_>>()}
            <button class="button wide" on:click=|_| dialog::close()>{t(Text::Cancel)}</button>
        </div>
    }
}

pub fn delete_occurrence(uid: String) -> View {
    let answer = |text: Text, scope: Option<Scope>| -> Answer {
        let uid = uid.clone();
        (text, "", Box::new(move || command::delete_with(std::slice::from_ref(&uid), scope)))
    };
    question(
        t(Text::ScopeQuestion).to_owned(),
        vec![
            answer(Text::ScopeThis, None),
            answer(Text::ScopeFuture, Some(Scope::Future)),
            answer(Text::ScopeAll, Some(Scope::All)),
        ],
    )
}

pub fn delete_list(id: i64) -> View {
    let name =
        store().read(|device| device.list_of(id).map(|list| list.name.clone())).unwrap_or_default();
    let answer = |text: Text, class: &'static str, delete_tasks: bool| -> Answer {
        let name = name.clone();
        let act = move || {
            store().edit(vec![Edit::DeleteList { id, delete_tasks }]);
            Route::to(Place::Inbox).go();
            toast::show(with(Text::ListDeleted, &name), Action::Undo);
        };
        (text, class, Box::new(act))
    };
    question(
        with(Text::DeleteListQuestion, &name),
        vec![answer(Text::KeepTasks, "", false), answer(Text::DeleteTasksToo, "danger", true)],
    )
}

pub fn sign_out(count: usize) -> View {
    question(
        with(Text::UnsentQuestion, count),
        vec![(Text::SignOut, "danger", Box::new(sync::sign_out))],
    )
}
