//! What is remembered of the chat: accounts, sealed login tokens, shared values; and the numbers of people.

use crate::connection::Both;
use crate::schema::{chat_people, chat_state, chat_tokens, numeric_ids, sessions};
use crate::transaction::Tx;
use diesel::dsl::{exists, max, not};
use diesel::prelude::*;
use propusk_domain::chat::{Chat, ChatToken};
use propusk_domain::store::Stored;
use propusk_domain::time::UnixTime;

impl Chat for Tx<'_> {
    fn find_chat_id(&mut self, sub: &str) -> Stored<Option<String>> {
        self.run("finding an account of the chat", |c| chat_people::table.find(sub).select(chat_people::chat_id).first(c).optional())
    }

    fn find_chat_person(&mut self, chat_id: &str) -> Stored<Option<String>> {
        self.run("finding the person of an account", |c| {
            chat_people::table.filter(chat_people::chat_id.eq(chat_id)).select(chat_people::sub).first(c).optional()
        })
    }

    fn put_chat_id(&mut self, sub: &str, chat_id: &str) -> Stored<bool> {
        if self.find_chat_person(chat_id)?.is_some_and(|owner| owner != sub) {
            return Ok(false);
        }
        self.forget_chat_id(sub)?;
        let row = (chat_people::sub.eq(sub), chat_people::chat_id.eq(chat_id));
        let count = self.run("keeping an account of the chat", |c| {
            Both(diesel::insert_into(chat_people::table).values(row).on_conflict_do_nothing()).execute(c)
        })?;
        Ok(count == 1)
    }

    fn forget_chat_id(&mut self, sub: &str) -> Stored<()> {
        self.run("forgetting an account of the chat", |c| diesel::delete(chat_people::table.find(sub)).execute(c))?;
        Ok(())
    }

    fn find_chat_token(&mut self, sid: &str) -> Stored<Option<ChatToken>> {
        type Row = (String, String, String, i64);
        let row: Option<Row> = self.run("finding a login token of the chat", |c| {
            chat_tokens::table
                .find(sid)
                .select((chat_tokens::sub, chat_tokens::chat_id, chat_tokens::sealed, chat_tokens::created_at))
                .first(c)
                .optional()
        })?;
        let token = |(sub, chat_id, sealed, created_at)| ChatToken { sid: sid.to_owned(), sub, chat_id, sealed, created_at: UnixTime(created_at) };
        Ok(row.map(token))
    }

    fn insert_chat_token(&mut self, token: &ChatToken) -> Stored<bool> {
        let row = (
            chat_tokens::sid.eq(&token.sid),
            chat_tokens::sub.eq(&token.sub),
            chat_tokens::chat_id.eq(&token.chat_id),
            chat_tokens::sealed.eq(&token.sealed),
            chat_tokens::created_at.eq(token.created_at.0),
        );
        let count = self.run("keeping a login token of the chat", |c| {
            Both(diesel::insert_into(chat_tokens::table).values(row).on_conflict_do_nothing()).execute(c)
        })?;
        Ok(count == 1)
    }

    fn delete_chat_token(&mut self, sid: &str, sealed: &str) -> Stored<bool> {
        let count = self.run("removing a login token of the chat", |c| {
            diesel::delete(chat_tokens::table.find(sid).filter(chat_tokens::sealed.eq(sealed))).execute(c)
        })?;
        Ok(count == 1)
    }

    fn list_orphaned_chat_tokens(&mut self, now: UnixTime, idle_since: UnixTime, limit: i64) -> Stored<Vec<(String, String)>> {
        let alive = sessions::table
            .filter(sessions::sid.eq(chat_tokens::sid))
            .filter(sessions::revoked_at.is_null())
            .filter(sessions::expires_at.gt(now.0))
            .filter(sessions::last_seen_at.gt(idle_since.0));
        self.run("listing login tokens without a session", |c| {
            chat_tokens::table.filter(not(exists(alive))).order(chat_tokens::sid).limit(limit).select((chat_tokens::sid, chat_tokens::sub)).load(c)
        })
    }

    fn find_chat_state(&mut self, name: &str) -> Stored<Option<String>> {
        self.run("reading a value of the chat", |c| chat_state::table.find(name).select(chat_state::value).first(c).optional())
    }

    fn swap_chat_state(&mut self, name: &str, before: Option<&str>, after: Option<&str>) -> Stored<bool> {
        let count = self.run("replacing a value of the chat", |c| match (before, after) {
            (None, None) => Ok(0),
            (None, Some(after)) => {
                let row = (chat_state::name.eq(name), chat_state::value.eq(after));
                Both(diesel::insert_into(chat_state::table).values(row).on_conflict_do_nothing()).execute(c)
            }
            (Some(before), Some(after)) => {
                diesel::update(chat_state::table.find(name).filter(chat_state::value.eq(before))).set(chat_state::value.eq(after)).execute(c)
            }
            (Some(before), None) => diesel::delete(chat_state::table.find(name).filter(chat_state::value.eq(before))).execute(c),
        })?;
        Ok(count == 1)
    }

    fn find_numeric_id(&mut self, sub: &str) -> Stored<Option<i64>> {
        self.run("finding the number of a person", |c| numeric_ids::table.find(sub).select(numeric_ids::number).first(c).optional())
    }

    fn insert_numeric_id(&mut self, sub: &str) -> Stored<bool> {
        let highest: Option<i64> = self.run("finding the highest number", |c| numeric_ids::table.select(max(numeric_ids::number)).first(c))?;
        let row = (numeric_ids::sub.eq(sub), numeric_ids::number.eq(highest.unwrap_or_default() + 1));
        let count =
            self.run("numbering a person", |c| Both(diesel::insert_into(numeric_ids::table).values(row).on_conflict_do_nothing()).execute(c))?;
        Ok(count == 1)
    }
}
