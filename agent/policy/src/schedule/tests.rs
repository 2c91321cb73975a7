//! Weekly hours against the calendar: midnight, holidays, the two nights when the clock is changed.

use super::*;
use jiff::civil::date;
use jiff::tz::TimeZone;

fn site() -> Site {
    Site {
        name: "Harbour Works".into(),
        realm: "harbour.example".into(),
        time_zone: TimeZone::get("Europe/Berlin").expect("a known zone"),
        holidays: [date(2026, 12, 25), date(2027, 1, 1)].into(),
        currency: "EUR".into(),
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().expect("a fixed time").as_millisecond())
}

/// A moment at the site.
fn there(text: &str) -> Timestamp {
    let time: jiff::civil::DateTime = text.parse().expect("a fixed time");
    Timestamp(time.to_zoned(site().time_zone).expect("an existing time").timestamp().as_millisecond())
}

fn schedule(slots: &[(Weekday, u16, u16)]) -> Schedule {
    Schedule {
        name: "hours".parse().expect("a fixed name"),
        slots: slots
            .iter()
            .map(|&(weekday, from_minute, until_minute)| Slot { weekday, from_minute, until_minute })
            .collect(),
        closed_on_holidays: true,
    }
}

const WEEKDAYS: [Weekday; 5] =
    [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];

fn office() -> Schedule {
    schedule(&WEEKDAYS.map(|weekday| (weekday, 8 * 60, 18 * 60)))
}

#[test]
fn hours_begin_with_their_first_minute_and_end_before_their_last() {
    let site = site();
    for (when, open) in [
        ("2026-11-23T07:59:59", false),
        ("2026-11-23T08:00", true),
        ("2026-11-23T17:59:59", true),
        ("2026-11-23T18:00", false),
        ("2026-11-22T12:00", false), // Sunday
    ] {
        assert_eq!(office().is_open(&site, there(when)), open, "{when}");
    }
    assert_eq!(office().closes_at(&site, there("2026-11-23T08:00")), Some(there("2026-11-23T18:00")));
    assert_eq!(office().closes_at(&site, there("2026-11-23T18:00")), None);
    assert_eq!(office().opens_at(&site, there("2026-11-20T18:00")), Some(there("2026-11-23T08:00")), "over a weekend");
    assert_eq!(office().opens_at(&site, there("2026-11-23T08:00")), Some(there("2026-11-24T08:00")));
}

#[test]
fn a_night_of_two_slots_is_one_opening() {
    let site = site();
    let night = schedule(&[(Weekday::Friday, 22 * 60, Slot::END_OF_DAY), (Weekday::Saturday, 0, 6 * 60)]);
    for (when, open) in [
        ("2026-11-20T21:59", false),
        ("2026-11-20T23:59:59", true),
        ("2026-11-21T00:00", true),
        ("2026-11-21T05:59", true),
        ("2026-11-21T06:00", false),
    ] {
        assert_eq!(night.is_open(&site, there(when)), open, "{when}");
    }
    assert_eq!(night.closes_at(&site, there("2026-11-20T23:00")), Some(there("2026-11-21T06:00")));
}

#[test]
fn a_holiday_is_closed_all_day_and_the_day_before_ends_at_midnight() {
    let site = site();
    let always: Vec<_> = WEEKDAYS
        .into_iter()
        .chain([Weekday::Saturday, Weekday::Sunday])
        .map(|weekday| (weekday, 0, Slot::END_OF_DAY))
        .collect();
    let always = schedule(&always);
    assert!(!always.is_open(&site, there("2026-12-25T12:00")));
    assert_eq!(always.closes_at(&site, there("2026-12-24T12:00")), Some(there("2026-12-25T00:00")));
    assert_eq!(always.opens_at(&site, there("2026-12-25T12:00")), Some(there("2026-12-26T00:00")));
    let mut observed = always.clone();
    observed.closed_on_holidays = false;
    assert!(observed.is_open(&site, there("2026-12-25T12:00")));
    assert_eq!(observed.closes_at(&site, there("2026-11-02T12:00")), None, "open for the whole fortnight");
    assert_eq!(office().opens_at(&site, there("2026-12-24T18:00")), Some(there("2026-12-28T08:00")));
}

#[test]
fn hours_are_those_of_the_wall_clock_when_it_is_put_forward() {
    let site = site();
    // 29 March 2026, Sunday: 02:00 becomes 03:00.
    let sunday = schedule(&[(Weekday::Sunday, 60, 4 * 60)]);
    assert_eq!(sunday.opens_at(&site, at("2026-03-28T12:00:00Z")), Some(at("2026-03-29T00:00:00Z")));
    assert_eq!(
        sunday.closes_at(&site, at("2026-03-29T00:30:00Z")),
        Some(at("2026-03-29T02:00:00Z")),
        "one hour is gone"
    );
    // A slot that begins in the hour that does not exist begins when the clock has been put forward.
    let gap = schedule(&[(Weekday::Sunday, 150, 4 * 60)]);
    assert!(!gap.is_open(&site, at("2026-03-29T00:59:00Z")));
    let opens = gap.opens_at(&site, at("2026-03-28T12:00:00Z")).expect("it opens");
    assert!(gap.is_open(&site, opens));
}

#[test]
fn hours_are_those_of_the_wall_clock_when_it_is_put_back() {
    let site = site();
    // 25 October 2026, Sunday: 03:00 becomes 02:00, so 02:30 comes twice.
    let sunday = schedule(&[(Weekday::Sunday, 60, 4 * 60)]);
    assert_eq!(sunday.closes_at(&site, at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T03:00:00Z")), "one hour more");
    let twice = schedule(&[(Weekday::Sunday, 120, 180)]);
    assert!(twice.is_open(&site, at("2026-10-25T00:30:00Z")));
    assert!(twice.is_open(&site, at("2026-10-25T01:30:00Z")));
    assert_eq!(twice.closes_at(&site, at("2026-10-25T00:30:00Z")), Some(at("2026-10-25T02:00:00Z")));
}

#[test]
fn a_schedule_without_slots_never_opens() {
    let site = site();
    let never = schedule(&[]);
    assert!(!never.is_open(&site, there("2026-11-23T12:00")));
    assert_eq!(never.opens_at(&site, there("2026-11-23T12:00")), None);
}

#[test]
fn months_and_spoken_times_are_those_of_the_site() {
    let site = site();
    let new_year = at("2026-12-31T23:30:00Z");
    assert_eq!(month(&site, new_year), "2027-01");
    assert_eq!(spoken(&site, new_year), "Fri 1 Jan 00:30");
}
