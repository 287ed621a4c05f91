//! Settings of sources that are legal and unwise.

use super::{OtherSource, TokenSources};
use crate::report::{Lint, LintReport};

impl TokenSources {
    /// Adds what is found in the sources.
    pub(crate) fn lint(&self, report: &mut LintReport) {
        for cookie in self.cookies() {
            let mut add = |is_found: bool, lint| {
                if is_found {
                    report.add(lint, cookie.place());
                }
            };
            if cookie.is_for_development() {
                add(true, Lint::DevelopmentCookies);
            } else {
                add(!cookie.is_of_this_host_only(), Lint::CookieWithoutHostPrefix);
            }
            let guard = cookie.cross_site_guard();
            add(guard.is_for_forward_auth(), Lint::ForwardedMethod);
            add(!cookie.is_guarded(), Lint::WithoutCrossSiteCheck);
            add(guard.is_for_all_methods(), Lint::WithoutSameSite);
        }
        for source in self.not_cookies() {
            if let OtherSource::Query(name) = source {
                report.add(Lint::QueryToken, Some(name.clone()));
            }
        }
    }
}
