/// The built-in schemas: the bank of the examples, and a few of the names that Confluent's users know.
enum Quickstart {
    struct Template: Sendable {
        let schema: String
        let keyField: String
    }

    static let schemas: [String: Template] = [
        "customers": Template(schema: customers, keyField: "id"), "accounts": Template(schema: accounts, keyField: "id"),
        "transactions": Template(schema: transactions, keyField: "id"), "users": Template(schema: users, keyField: "userid"),
        "pageviews": Template(schema: pageviews, keyField: "viewtime"), "orders": Template(schema: orders, keyField: "orderid"),
    ]

    private static let customers = #"""
        {"type":"record","name":"customers","namespace":"bank","fields":[
        {"name":"id","type":{"type":"int","arg.properties":{"iteration":{"start":1}}}},
        {"name":"first_name","type":{"type":"string","arg.properties":{"options":["Ada","Grace","Edsger","Barbara","Alan","Margaret","Donald","Frances"]}}},
        {"name":"last_name","type":{"type":"string","arg.properties":{"options":["Lovelace","Hopper","Dijkstra","Liskov","Turing","Hamilton","Knuth","Allen"]}}},
        {"name":"email","type":{"type":"string","arg.properties":{"regex":"[a-z]{8}[0-9]{4}@example\\.com"}}},
        {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis","arg.properties":{"iteration":{"start":1767225600000,"step":60000}}}}]}
        """#

    private static let accounts = #"""
        {"type":"record","name":"accounts","namespace":"bank","fields":[
        {"name":"id","type":{"type":"int","arg.properties":{"iteration":{"start":1}}}},
        {"name":"customer_id","type":{"type":"int","arg.properties":{"range":{"min":1,"max":1000}}}},
        {"name":"account_type","type":{"type":"string","arg.properties":{"options":["SAVINGS","CHECKING"]}}},
        {"name":"balance","type":{"type":"double","arg.properties":{"range":{"min":10,"max":1000},"scale":2}}},
        {"name":"currency","type":{"type":"string","arg.properties":{"options":["USD"]}}},
        {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis","arg.properties":{"iteration":{"start":1767225600000,"step":30000}}}}]}
        """#

    private static let transactions = #"""
        {"type":"record","name":"transactions","namespace":"bank","fields":[
        {"name":"id","type":{"type":"long","arg.properties":{"iteration":{"start":1}}}},
        {"name":"account_id","type":{"type":"int","arg.properties":{"range":{"min":1,"max":2000}}}},
        {"name":"txn_type","type":{"type":"string","arg.properties":{"options":["DEPOSIT","WITHDRAWAL","TRANSFER"]}}},
        {"name":"amount","type":{"type":"double","arg.properties":{"range":{"min":1,"max":1000},"scale":2}}},
        {"name":"related_account_id","type":["null",{"type":"int","arg.properties":{"range":{"min":1,"max":2000}}}]},
        {"name":"status","type":{"type":"string","arg.properties":{"options":["COMPLETED","COMPLETED","COMPLETED","PENDING","FAILED"]}}},
        {"name":"created_at","type":{"type":"long","logicalType":"timestamp-millis","arg.properties":{"iteration":{"start":1767225600000,"step":1000}}}}]}
        """#

    private static let users = #"""
        {"type":"record","name":"users","namespace":"ksql","fields":[
        {"name":"registertime","type":{"type":"long","arg.properties":{"range":{"min":1487715775521,"max":1519273364600}}}},
        {"name":"userid","type":{"type":"string","arg.properties":{"regex":"User_[1-9]"}}},
        {"name":"regionid","type":{"type":"string","arg.properties":{"regex":"Region_[1-9]"}}},
        {"name":"gender","type":{"type":"string","arg.properties":{"options":["MALE","FEMALE","OTHER"]}}}]}
        """#

    private static let pageviews = #"""
        {"type":"record","name":"pageviews","namespace":"ksql","fields":[
        {"name":"viewtime","type":{"type":"long","arg.properties":{"iteration":{"start":1,"step":10}}}},
        {"name":"userid","type":{"type":"string","arg.properties":{"regex":"User_[1-9]"}}},
        {"name":"pageid","type":{"type":"string","arg.properties":{"regex":"Page_[1-9][0-9]?"}}}]}
        """#

    private static let orders = #"""
        {"type":"record","name":"orders","namespace":"ksql","fields":[
        {"name":"ordertime","type":{"type":"long","arg.properties":{"range":{"min":1487715775521,"max":1519273364600}}}},
        {"name":"orderid","type":{"type":"int","arg.properties":{"iteration":{"start":0}}}},
        {"name":"itemid","type":{"type":"string","arg.properties":{"regex":"Item_[1-9][0-9]{0,2}"}}},
        {"name":"orderunits","type":{"type":"double","arg.properties":{"range":{"min":0.1,"max":10}}}},
        {"name":"address","type":{"type":"record","name":"address","fields":[
        {"name":"city","type":{"type":"string","arg.properties":{"regex":"City_[1-9][0-9]?"}}},
        {"name":"state","type":{"type":"string","arg.properties":{"regex":"State_[1-9][0-9]?"}}},
        {"name":"zipcode","type":{"type":"long","arg.properties":{"range":{"min":10000,"max":100000}}}}]}}]}
        """#
}
