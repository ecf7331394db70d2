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
    edges { node { dbId invoiceNumber trRegNumber } }
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

READ_NAMES: Final = """
query ReadNames($accounts: [String!]!, $suppliers: [String!]!) {
  accounts(first: 1000, filter: {code_in: $accounts}) { edges { node { code } } }
  suppliers(first: 1000, filter: {code_in: $suppliers}) { edges { node { code } } }
}
"""
