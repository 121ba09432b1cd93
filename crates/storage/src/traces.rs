//! The steps of sign-ins.

use crate::connection::{Both, MultiBackend};
use crate::error::StorageError;
use crate::schema::flow_steps;
use crate::transaction::Tx;
use diesel::prelude::*;
use propusk_domain::Fault;
use propusk_domain::store::{Stored, Traces};
use propusk_domain::time::UnixTime;
use propusk_domain::trace::{FlowFilter, FlowStep, Step};

/// Somebody who opens one page again and again makes a long flow; more than so many steps help nobody.
const STEPS: i64 = 20_000;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = flow_steps, check_for_backend(MultiBackend), treat_none_as_default_value = false)]
struct StepRow {
    id: String,
    flow_id: Option<String>,
    grant_id: Option<String>,
    client_id: String,
    sub: Option<String>,
    step: String,
    at: i64,
    verdict: String,
    reference: Option<String>,
}

impl Traces for Tx<'_> {
    fn insert_flow_steps(&mut self, steps: &[FlowStep]) -> Stored<()> {
        for step in steps {
            let row = StepRow::from(step.clone());
            self.run("adding a step", |c| Both(diesel::insert_into(flow_steps::table).values(row).on_conflict_do_nothing()).execute(c))?;
        }
        Ok(())
    }

    fn list_flows(&mut self, filter: &FlowFilter) -> Stored<Vec<String>> {
        let mut query = flow_steps::table.filter(flow_steps::flow_id.is_not_null()).into_boxed::<MultiBackend>();
        if let Some(client_id) = &filter.client_id {
            query = query.filter(flow_steps::client_id.eq(client_id));
        }
        if let Some(sub) = &filter.sub {
            query = query.filter(flow_steps::sub.eq(sub));
        }
        // The identifiers begin with the time.
        let query = query.select(flow_steps::flow_id.assume_not_null()).distinct().order(flow_steps::flow_id.assume_not_null().desc());
        self.run("listing flows", |c| query.limit(filter.limit).load(c))
    }

    fn list_flow_steps(&mut self, flow_ids: &[String]) -> Stored<Vec<FlowStep>> {
        let mut rows: Vec<StepRow> = self.run("reading steps", |c| {
            flow_steps::table.filter(flow_steps::flow_id.eq_any(flow_ids)).order(flow_steps::id).limit(STEPS).select(StepRow::as_select()).load(c)
        })?;
        let grants: Vec<String> = rows.iter().filter_map(|row| row.grant_id.clone()).collect();
        let of_grants: Vec<StepRow> = self.run("reading steps", |c| {
            flow_steps::table
                .filter(flow_steps::grant_id.eq_any(grants))
                .filter(flow_steps::flow_id.is_null())
                .order(flow_steps::id)
                .limit(STEPS)
                .select(StepRow::as_select())
                .load(c)
        })?;
        rows.extend(of_grants);
        rows.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        rows.into_iter().map(FlowStep::try_from).collect()
    }
}

impl From<FlowStep> for StepRow {
    fn from(step: FlowStep) -> Self {
        let FlowStep { id, flow_id, grant_id, client_id, sub, step, at, verdict, reference } = step;
        Self { id, flow_id, grant_id, client_id, sub, step: step.as_str().to_owned(), at: at.0, verdict, reference }
    }
}

impl TryFrom<StepRow> for FlowStep {
    type Error = Fault;

    fn try_from(row: StepRow) -> Result<Self, Fault> {
        let StepRow { id, flow_id, grant_id, client_id, sub, step, at, verdict, reference } = row;
        let step = Step::parse(&step).ok_or_else(|| StorageError::corrupt("flow_steps", &id, "step", "is no step"))?;
        Ok(Self { id, flow_id, grant_id, client_id, sub, step, at: UnixTime(at), verdict, reference })
    }
}
