//! Frames and messages, from either side.

use pgwarrant_wire::{backend, frame, frontend};

/// The first byte picks the limit and the type that runs are looked for; the rest is the stream.
pub fn check(data: &[u8]) {
    let Some((choice, stream)) = data.split_first() else { return };
    let max = match choice & 3 {
        0 => frame::MAX_FRONTEND,
        1 => frame::MAX_BEFORE_AUTHENTICATION,
        2 => frame::MAX_BACKEND,
        _ => usize::from(*choice),
    };
    frames(stream, max);
    runs(stream, max);
}

fn frames(mut stream: &[u8], max: usize) {
    while let Ok(Some(found)) = frame::next(stream, max) {
        assert!(frame::HEADER <= found.len && found.len <= stream.len() && found.len <= max);
        let body = found.body(stream);
        assert_eq!(body.len() + frame::HEADER, found.len);
        from_client(found.tag, body);
        from_server(found.tag, body);
        stream = &stream[found.len..];
    }
}

/// A run is the frames that `next` finds, one by one, as long as they are of its type.
fn runs(stream: &[u8], max: usize) {
    let Some(tag) = stream.first().copied() else { return };
    let Ok(run) = frame::run(stream, tag, max) else {
        assert!(frame::header(stream, max).is_err());
        return;
    };
    let (mut frames, mut len) = (0, 0);
    while let Ok(Some(found)) = frame::next(&stream[len..], max) {
        if found.tag != tag {
            break;
        }
        frames += 1;
        len += found.len;
    }
    assert_eq!((run.frames, run.len), (frames, len));
    if run.missing > 0 {
        let header = frame::header(&stream[len..], max).expect("a good header").expect("all of it");
        assert_eq!((header.tag, header.missing(&stream[len..])), (tag, run.missing));
    }
}

fn from_client(tag: u8, body: &[u8]) {
    if let Ok(frontend::Message::Bind(bind)) = frontend::parse(tag, body) {
        assert_eq!(bind.values.iter().count(), bind.values.len());
        let bytes: usize = bind.values.iter().flatten().map(<[u8]>::len).sum();
        assert!(bytes <= body.len());
        for index in 0..bind.values.len() + 2 {
            bind.parameter_formats.of(index);
            bind.result_formats.of(index);
        }
    }
    let _ = frontend::sasl_initial(body);
    let _ = frontend::password(body);
}

fn from_server(tag: u8, body: &[u8]) {
    if let Ok(row) = backend::RowDescription::parse(body) {
        assert_eq!(row.fields().count(), row.len());
    }
    if let Ok(row) = backend::DataRow::parse(body) {
        assert_eq!(row.values().count(), row.len());
    }
    if let Ok(types) = backend::parameter_description(body) {
        assert!(types.len() * 4 <= body.len());
    }
    if let Ok(complete) = backend::command_complete(body) {
        let _ = (complete.rows(), complete.command());
    }
    if let Ok(backend::Authentication::Sasl(mechanisms)) = backend::Authentication::parse(body) {
        assert!(backend::Authentication::mechanisms(mechanisms).count() <= body.len());
    }
    let _ = backend::ready_for_query(body);
    let _ = backend::parameter_status(body);
    let _ = backend::backend_key_data(body);
    let _ = backend::notification(body);
    let _ = backend::copy_response(body);
    let _ = backend::negotiate_protocol_version(body);
    let _ = backend::Diagnostic::parse(body).map(|diagnostic| {
        let _ = (tag, format!("{diagnostic:?}"));
    });
}
