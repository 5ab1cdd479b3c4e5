# A signature on the image that holds, and of each type one attestation that holds and is signed itself. Ratify leaves
# out of a report what no verifier was asked about, so that what nobody verified never counts.
package ratify.policy

default valid := false

notary := "application/vnd.cncf.notary.signature"

good(report) {
  count(report.verifierReports) > 0
  not bad(report)
}

bad(report) {
  report.verifierReports[_].isSuccess == false
}

signed(report) {
  signature := report.nestedReports[_]
  signature.artifactType == notary
  good(signature)
}

attested(type) {
  report := input.verifierReports[_]
  report.artifactType == type
  good(report)
  signed(report)
}

valid {
  signature := input.verifierReports[_]
  signature.artifactType == notary
  good(signature)
  attested("application/vnd.in-toto.provenance+json")
  attested("application/spdx+json")
}
