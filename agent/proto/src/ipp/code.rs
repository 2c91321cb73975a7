//! Numbers with names: operations, status codes, states (RFC 8011 and PWG registrations).

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident: $repr:ty { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name { $($(#[$vdoc])* $variant = $value,)* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            #[must_use]
            pub const fn code(self) -> $repr {
                self as $repr
            }

            #[must_use]
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code { $($value => Some(Self::$variant),)* _ => None }
            }

            /// The registered keyword.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

codes! {
    /// What a queue takes. Operations missing here are answered with `server-error-operation-not-supported`: on purpose
    /// there is none that fetches a URI, sets an attribute, administers, or pushes notifications.
    OperationId: u16 {
        PrintJob = 0x0002 "Print-Job",
        ValidateJob = 0x0004 "Validate-Job",
        CreateJob = 0x0005 "Create-Job",
        SendDocument = 0x0006 "Send-Document",
        CancelJob = 0x0008 "Cancel-Job",
        GetJobAttributes = 0x0009 "Get-Job-Attributes",
        GetJobs = 0x000a "Get-Jobs",
        GetPrinterAttributes = 0x000b "Get-Printer-Attributes",
        HoldJob = 0x000c "Hold-Job",
        ReleaseJob = 0x000d "Release-Job",
        CancelMyJobs = 0x0039 "Cancel-My-Jobs",
        CloseJob = 0x003b "Close-Job",
        IdentifyPrinter = 0x003c "Identify-Printer",
    }
}

codes! {
    /// RFC 8011 appendix B and PWG 5100.16 (the `Account…` family).
    StatusCode: u16 {
        SuccessfulOk = 0x0000 "successful-ok",
        SuccessfulOkIgnoredOrSubstitutedAttributes = 0x0001 "successful-ok-ignored-or-substituted-attributes",
        SuccessfulOkConflictingAttributes = 0x0002 "successful-ok-conflicting-attributes",
        ClientErrorBadRequest = 0x0400 "client-error-bad-request",
        ClientErrorForbidden = 0x0401 "client-error-forbidden",
        ClientErrorNotAuthenticated = 0x0402 "client-error-not-authenticated",
        ClientErrorNotAuthorized = 0x0403 "client-error-not-authorized",
        ClientErrorNotPossible = 0x0404 "client-error-not-possible",
        ClientErrorTimeout = 0x0405 "client-error-timeout",
        ClientErrorNotFound = 0x0406 "client-error-not-found",
        ClientErrorGone = 0x0407 "client-error-gone",
        ClientErrorRequestEntityTooLarge = 0x0408 "client-error-request-entity-too-large",
        ClientErrorRequestValueTooLong = 0x0409 "client-error-request-value-too-long",
        ClientErrorDocumentFormatNotSupported = 0x040a "client-error-document-format-not-supported",
        ClientErrorAttributesOrValuesNotSupported = 0x040b "client-error-attributes-or-values-not-supported",
        ClientErrorUriSchemeNotSupported = 0x040c "client-error-uri-scheme-not-supported",
        ClientErrorCharsetNotSupported = 0x040d "client-error-charset-not-supported",
        ClientErrorConflictingAttributes = 0x040e "client-error-conflicting-attributes",
        ClientErrorCompressionNotSupported = 0x040f "client-error-compression-not-supported",
        ClientErrorCompressionError = 0x0410 "client-error-compression-error",
        ClientErrorDocumentFormatError = 0x0411 "client-error-document-format-error",
        ClientErrorDocumentAccessError = 0x0412 "client-error-document-access-error",
        ClientErrorAccountInfoNeeded = 0x041c "client-error-account-info-needed",
        ClientErrorAccountClosed = 0x041d "client-error-account-closed",
        ClientErrorAccountLimitReached = 0x041e "client-error-account-limit-reached",
        ClientErrorAccountAuthorizationFailed = 0x041f "client-error-account-authorization-failed",
        ServerErrorInternalError = 0x0500 "server-error-internal-error",
        ServerErrorOperationNotSupported = 0x0501 "server-error-operation-not-supported",
        ServerErrorServiceUnavailable = 0x0502 "server-error-service-unavailable",
        ServerErrorVersionNotSupported = 0x0503 "server-error-version-not-supported",
        ServerErrorDeviceError = 0x0504 "server-error-device-error",
        ServerErrorTemporaryError = 0x0505 "server-error-temporary-error",
        ServerErrorNotAcceptingJobs = 0x0506 "server-error-not-accepting-jobs",
        ServerErrorBusy = 0x0507 "server-error-busy",
        ServerErrorJobCanceled = 0x0508 "server-error-job-canceled",
        ServerErrorMultipleDocumentJobsNotSupported = 0x0509 "server-error-multiple-document-jobs-not-supported",
    }
}

impl StatusCode {
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.code() < 0x0100
    }
}

codes! {
    /// RFC 8011 5.3.7. No state follows the last three.
    JobState: i32 {
        Pending = 3 "pending",
        PendingHeld = 4 "pending-held",
        Processing = 5 "processing",
        ProcessingStopped = 6 "processing-stopped",
        Canceled = 7 "canceled",
        Aborted = 8 "aborted",
        Completed = 9 "completed",
    }
}

impl JobState {
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::PendingHeld | Self::Processing | Self::ProcessingStopped => false,
            Self::Canceled | Self::Aborted | Self::Completed => true,
        }
    }
}

codes! {
    /// RFC 8011 5.4.11.
    PrinterState: i32 {
        Idle = 3 "idle",
        Processing = 4 "processing",
        Stopped = 5 "stopped",
    }
}
