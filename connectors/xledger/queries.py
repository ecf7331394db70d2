"""Every GraphQL text that leaves for Xledger. Nothing is ever pasted into them: values travel as variables."""

from typing import Final

ADD_VOUCHERS: Final = """
mutation AddVouchers($inputs: [AddGLImportItemsInput!]!) {
  addGLImportItems(inputs: $inputs) {
    edges { clientId node { dbId } }
  }
}
"""

FIND_VOUCHERS: Final = """
query FindVouchers($references: [String!]!) {
  apTransactions(first: 10000, filter: {invoiceNumber_in: $references}) {
    pageInfo { hasNextPage }
    edges { node { dbId invoiceNumber invoiceAmount currency { code } transactionHeader { transactionNumber } } }
  }
  glImportItems(first: 10000, filter: {invoiceNumber_in: $references}) {
    pageInfo { hasNextPage }
    edges { node { dbId invoiceNumber trRegNumber postedDate } }
  }
}
"""

FIND_ERRORS: Final = """
query FindErrors($rows: [Int!]!) {
  glImportItemErrors(first: 10000, filter: {transactionDbId_in: $rows}) {
    edges { node { transactionDbId message } }
  }
}
"""

READ_PERIODS: Final = """
query ReadPeriods {
  periodStatusItems(first: 10000) {
    edges { node { owner { code } period { fromDate toDate } } }
  }
}
"""

READ_NAMES: Final = """
query ReadNames($accounts: [String!]!, $suppliers: [String!]!) {
  accounts(first: 10000, filter: {code_in: $accounts}) { edges { node { code } } }
  suppliers(first: 10000, filter: {code_in: $suppliers}) { edges { node { code } } }
}
"""

READ_BOOKED: Final = """
query ReadBooked {
  journalEntries(first: 500) { edges { node { amount invoiceAmount currency { code } } } }
}
"""

READ_KINDS: Final = """
query ReadKinds {
  objectKinds(first: 10000) { edges { node { dbId name } } }
}
"""

READ_VALUES: Final = """
query ReadValues($kind: Int!, $codes: [String!]!) {
  objectValues(first: 10000, filter: {objectKindDbId: $kind, code_in: $codes}) { edges { node { code } } }
}
"""
