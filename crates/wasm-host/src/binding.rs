//! Bindings of the interfaces that the host implements or calls.

wasmtime::component::bindgen!({
    inline: "
        package rondo:host;
        world capability {
            import spin:postgres/postgres@4.0.0;
            import fermyon:spin/variables@2.0.0;
            export rondo:events/consumer@1.0.0;
        }
    ",
    path: "../../wit",
    world: "rondo:host/capability",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "spin:postgres/postgres.connection": crate::session::Connection },
});
