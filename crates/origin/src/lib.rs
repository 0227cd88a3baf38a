//! An HTTP origin that misbehaves on request.
