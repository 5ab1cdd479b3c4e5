//! The switches of the registry: how it differs from the specification, or which of its choices it took.

/// How the registry wants to know who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anyone may do anything.
    Open,
    /// User and password with every request, as ECR and htpasswd do.
    Basic,
    /// A token from a token service (distribution, `spec/auth/token.md`).
    Bearer,
}

/// How this registry differs from the specification, or which of its choices it took.
#[expect(clippy::struct_excessive_bools, reason = "a switchboard is what this is")]
#[derive(Clone, Debug)]
pub struct Quirks {
    /// The name in the ledger and in fault scripts.
    pub name: &'static str,
    /// How one logs in.
    pub auth: Auth,
    /// Whether the registry may be read without logging in.
    pub anonymous_pull: bool,
    /// Whether there is a referrers API; otherwise its path is 404 with plain text.
    pub referrers_api: bool,
    /// Whether a manifest PUT is answered with `OCI-Subject`.
    pub oci_subject: bool,
    /// Whether a manifest PUT is answered with `Location` (ECR: no).
    pub manifest_location: bool,
    /// Whether `Location` of an upload is a path alone.
    pub relative_location: bool,
    /// Referrers per page; the rest behind `Link`.
    pub page_size: Option<usize>,
    /// Reports `config.mediaType` as `artifactType` in lists (ggcr's registry).
    pub config_as_artifact_type: bool,
    /// Leaves `artifactType` out of lists.
    pub no_artifact_type: bool,
    /// A tag cannot be moved (ECR's IMMUTABLE).
    pub immutable_tags: bool,
    /// Answers 405 to manifests with media types that have parameters or no slash (ECR).
    pub strict_media_types: bool,
    /// Blobs are served by another host behind a 307 (ECR and S3).
    pub blobs_elsewhere: bool,
    /// A referrer whose subject is not stored is refused.
    pub subject_must_exist: bool,
    /// A repository is made by the first write; otherwise writes to it are 404 `NAME_UNKNOWN` (ECR).
    pub creates_repositories: bool,
    /// A blob of another repository is linked when that is asked for (ECR: only where it is switched on).
    pub mounts: bool,
    /// Manifests can be deleted.
    pub deletes: bool,
    /// A referrers tag that is not there resolves to the subject itself (GitLab).
    pub fallback_tag_is_subject: bool,
    /// Manifests have entity tags, and conditions on them hold (RFC 9110, 13.1).
    pub etags: bool,
    /// Manifest PUTs per second and burst, above which the answer is 429.
    pub manifest_quota: Option<(f64, f64)>,
    /// Seconds that tokens live; `None` leaves `expires_in` out, which means 60.
    pub token_seconds: Option<u64>,
    /// The realm named in the challenge, where it is not this registry's own.
    pub realm: Option<String>,
}

impl Default for Quirks {
    /// A registry that does everything the specification asks, for anyone.
    fn default() -> Self {
        Self {
            name: "registry",
            auth: Auth::Open,
            anonymous_pull: false,
            referrers_api: true,
            oci_subject: true,
            manifest_location: true,
            relative_location: false,
            page_size: None,
            config_as_artifact_type: false,
            no_artifact_type: false,
            immutable_tags: false,
            strict_media_types: false,
            blobs_elsewhere: false,
            subject_must_exist: false,
            creates_repositories: true,
            mounts: true,
            deletes: true,
            fallback_tag_is_subject: false,
            etags: false,
            manifest_quota: None,
            token_seconds: Some(300),
            realm: None,
        }
    }
}

impl Quirks {
    /// Amazon ECR: Basic, no `Location`, strict media types, blobs on S3, pages of 50, repositories made beforehand.
    pub fn ecr() -> Self {
        Self {
            auth: Auth::Basic,
            manifest_location: false,
            page_size: Some(50),
            strict_media_types: true,
            blobs_elsewhere: true,
            creates_repositories: false,
            mounts: false,
            ..Self::default()
        }
    }

    /// Distribution 2.8 and 3.1 (`docker-registry`): no referrers API, no `OCI-Subject`.
    pub fn distribution() -> Self {
        Self {
            referrers_api: false,
            oci_subject: false,
            deletes: false,
            ..Self::default()
        }
    }

    /// The same with a token service.
    #[must_use]
    pub fn with_auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }
}
