"""The GraphQL schema: recorded field names, relay connections, and only filters that were seen to exist.

Names are those of grasp-labs/ds-provider-xledger-py-lib (fields, `_gte`, `AND`), omniboost/go-xledger (`objectKinds`,
`currency { code }`, a `dbId` as text in an import's row) and xledger/graphql-samples (`projects`, `DateTimeString`,
`Int64String`). There is no filter on `extIdentifier`, and no list of tax rules: neither was seen anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from graphql import GraphQLSchema, build_schema


@dataclass(frozen=True, slots=True)
class Collection:
    """A relay connection of `node`s. Every `exact` filter has `…_in`; an `ordered` one also `_gte`, `_gt`,
    `_lte` and `_lt`."""

    name: str
    node: str
    exact: tuple[str, ...]
    ordered: tuple[str, ...] = ()


_ORDERED = ("gte", "gt", "lte", "lt")
_WHOLE_NUMBERS = frozenset(
    {"dbId", "transactionDbId", "trRegNumber", "objectKindDbId", "periodDbId", "transactionNumber"}
)

COLLECTIONS = (
    Collection("accounts", "Account", ("dbId", "code"), ("modifiedAt",)),
    Collection("suppliers", "Supplier", ("dbId", "code"), ("modifiedAt",)),
    Collection("currencies", "Currency", ("dbId", "code")),
    Collection("companies", "Company", ("dbId", "code", "companyNumber")),
    Collection("objectKinds", "ObjectKind", ("dbId", "name")),
    Collection("objectValues", "ObjectValue", ("dbId", "code", "objectKindDbId"), ("modifiedAt",)),
    Collection("projects", "Project", ("dbId", "code"), ("modifiedAt",)),
    Collection("periodStatusItems", "PeriodStatusItem", ("dbId", "periodDbId"), ("modifiedAt",)),
    Collection("glImportItems", "GLImportItem", ("dbId", "invoiceNumber", "trRegNumber"), ("createdAt", "modifiedAt")),
    Collection("glImportItemErrors", "GLImportItemError", ("dbId", "transactionDbId"), ("createdAt",)),
    Collection(
        "journalEntries",
        "JournalEntry",
        ("dbId", "invoiceNumber", "transactionNumber"),
        ("modifiedAt", "postedDate"),
    ),
    Collection("apTransactions", "APTransaction", ("dbId", "invoiceNumber"), ("dueDate",)),
)

_TYPES = """
scalar DateTimeString
scalar Int64String
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! }
enum ObjectStatus { OPEN CLOSED ALL }

type Account {
  dbId: Int code: String description: String modifiedAt: String ownerDbId: Int posting: Boolean credit:
  Boolean
  asset: Boolean balanceSheet: Boolean cost: Boolean equity: Boolean finance: Boolean liabilities: Boolean
  revenue: Boolean
}
type Supplier {
  dbId: Int code: String description: String email: String fromDate: String toDate: String modifiedAt: String
  ownerDbId: Int contract: String yourReference: String
}
type TaxRule { dbId: Int code: String description: String ownerDbId: Int }
type Currency { dbId: Int code: String description: String }
type Company { dbId: Int code: String description: String companyNumber: String modifiedAt: String }
type ObjectKind { dbId: Int64String name: String }
type ObjectValue {
  dbId: Int code: String description: String dateFrom: String dateTo: String createdAt: String modifiedAt:
  String
  ownerDbId: Int id: String objectKindDbId: Int posting: Boolean object: ObjectKind
}
type Owner { dbId: Int code: String description: String ownerDbId: Int ownerCode: String }
type Period {
  dbId: Int code: String description: String fiscalYear: Int toDate: String fromDate: String year: Int
  fiscalPeriod: Int monthNumber: Int
}
type PeriodStatusItem { dbId: Int modifiedAt: String ownerDbId: Int periodDbId: Int owner: Owner period:
Period }
type Reference { dbId: Int code: String description: String }
type ErrorLevel { dbId: Int code: String name: String }
type TransactionHeader {
  dbId: Int transactionNumber: Int text: String postedDate: String createdAt: String modifiedAt: String
  fiscalYear: Int transactionSource: Reference
}

type GLImportItem {
  dbId: Int64String invoiceNumber: String text: String amount: String invoiceAmount: String dueDate: String
  postedDate: String
  invoiceDate: String createdAt: String modifiedAt: String ownerDbId: Int trRegNumber: Int extIdentifier:
  String
  paymentReference: String
}
type GLImportItemError {
  dbId: Int createdAt: String ownerDbId: Int errorLevelDbId: Int transactionDbId: Int message: String
  errorLevel: ErrorLevel
}
type JournalEntry {
  dbId: Int invoiceNumber: String transactionNumber: Int text: String amount: String invoiceAmount: String
  dueDate: String postedDate: String invoiceDate: String createdAt: String modifiedAt: String ownerDbId: Int
  extIdentifier: String subledgerDbId: Int transactonHeaderDbId: Int fiscalPeriod: Int fiscalYear: Int
  account: Account currency: Currency taxRule: TaxRule transactionHeader: TransactionHeader transactionSource:
  Reference
  glObject1: Reference glObject2: Reference glObject3: Reference glObject4: Reference glObject5: Reference
}
type APTransaction {
  dbId: Int invoiceNumber: String text: String amount: String invoiceAmount: String invoiceRemaining: String
  dueDate: String invoiceDate: String ownerDbId: Int headerCreatedAt: String headerModifiedAt: String
  extIdentifier: String paymentReference: String subledgerDbId: Int account: Account currency: Currency
  transactionHeader: TransactionHeader
}
"""

_PROJECT = """
type Project {
  dbId: Int code: String description: String fromDate: String toDate: String createdAt: String modifiedAt: String
  text: String ownerDbId: Int email: String yourReference: String extIdentifier: String external: Boolean
  billable: Boolean fixedClient: Boolean allowPosting: Boolean timesheetEntry: Boolean accessControl: Boolean
  assignment: Boolean activity: Boolean extOrder: String contract: String progressDate: String pctCompleted: String
  overview: String expenseLedger: Boolean fundProject: Boolean invoiceHeader: String invoiceFooter: String
  totalRevenue: String yearlyRevenue: String contractedRevenue: String totalCost: String yearlyCost: String
  totalEstimateHours: String yearlyEstimateHours: String budgetCoveragePercent: String mainProjectDbId: Int
  shortInfo: String shortInternalInfo: String xgl: Reference
  glObject1: Reference glObject2: Reference glObject3: Reference glObject4: Reference glObject5: Reference
}
"""

_MUTATION = """
input CodeInput { dbId: Int code: String description: String }
input SubCodeInput { dbId: Int dbSubId: Int code: String description: String }
input OwnerInput { dbId: Int code: String description: String ownerCode: String }
input AddGLImportItemsInputNode {
  trRegNumber: String postedDate: String invoiceDate: String dueDate: String invoiceNumber: String text: String
  invoiceAmount: String exchangeRate: Float amount: String quantity: String bankAccount: String extOrderNumber: String
  yourReference: String payDocText: String paymentReference: String extIdentifier: String archive: Int trItemNumber: Int
  periodStart: Int numberPeriod: Int regAmount: String taxAmount: String taxAmount2: String discountDate: String
  discount: Float discountAmount: String quantity2: Float quantity3: Float positionNumber: Int workflow: Boolean
  invoiceFile: String amount3: String amount4: String amount5: String
  transactionSource: CodeInput account: CodeInput taxRule: CodeInput currency: CodeInput subledger: CodeInput
  glObject1: CodeInput glObject2: CodeInput glObject3: CodeInput glObject4: CodeInput glObject5: CodeInput
  transactionReg: CodeInput payTerms: CodeInput product: CodeInput objectDef: CodeInput objectValueDef: CodeInput
  payDocCode: CodeInput collectCode: CodeInput project: CodeInput xgl: CodeInput discountTaxRule: CodeInput
  unit: CodeInput company: CodeInput importDefinition: CodeInput ourRef: CodeInput payMethod: CodeInput
  bankAccountRef: CodeInput invoiceFileInput: CodeInput owner: OwnerInput slTransactionType: SubCodeInput
  payCode: SubCodeInput unitQuantity: SubCodeInput unitNumber: SubCodeInput jobLevel: SubCodeInput
  paymentStatus: SubCodeInput
}
input AddGLImportItemsInput { clientId: String node: AddGLImportItemsInputNode! }
type AddGLImportItemsEdge { clientId: String node: GLImportItem }
type AddGLImportItemsPayload { edges: [AddGLImportItemsEdge!]! }
type Mutation { addGLImportItems(inputs: [AddGLImportItemsInput!]!): AddGLImportItemsPayload }
"""


def xledger_schema() -> GraphQLSchema:
    connections = "".join(_connection(each) for each in COLLECTIONS)
    schema = build_schema(_TYPES + _PROJECT + _MUTATION + _query(COLLECTIONS) + connections)
    vars(schema.type_map["Int64String"])["serialize"] = str  # its name says how it looks
    return schema


def _query(collections: Sequence[Collection]) -> str:
    return "type Query {" + " ".join(_field(each) for each in collections) + "}\n"


def _field(each: Collection) -> str:
    arguments = f"first: Int, after: String, filter: {each.node}Filter, objectStatus: ObjectStatus"
    return f"{each.name}({arguments}): {each.node}Connection"


def _connection(each: Collection) -> str:
    return f"""
type {each.node}Edge {{ cursor: String! node: {each.node} }}
type {each.node}Connection {{ pageInfo: PageInfo! edges: [{each.node}Edge!]! }}
input {each.node}Filter {{ {" ".join(_filters(each))} AND: [{each.node}Filter!] OR: [{each.node}Filter!] }}
"""


def _filters(each: Collection) -> list[str]:
    exact = [f"{name}: {_type(name)} {name}_in: [{_type(name)}!]" for name in each.exact]
    ordered = [
        f"{name}: DateTimeString " + " ".join(f"{name}_{suffix}: DateTimeString" for suffix in _ORDERED)
        for name in each.ordered
    ]
    return exact + ordered


def _type(name: str) -> str:
    return "Int" if name in _WHOLE_NUMBERS else "String"
